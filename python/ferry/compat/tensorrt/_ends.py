# SPDX-License-Identifier: Apache-2.0
"""The inputs and outputs that a layer and a network have alike."""
from typing import List, Optional

from ferry.compat._offered import Shim
from ferry.compat.tensorrt._tensor import ITensor


class WithEnds(Shim):
    """Base of the classes that lead from tensors to tensors."""

    _inputs: List[ITensor]
    _outputs: List[ITensor]

    @property
    def num_inputs(self) -> int:
        """How many inputs there are."""
        return len(self._inputs)

    @property
    def num_outputs(self) -> int:
        """How many outputs there are."""
        return len(self._outputs)

    def get_input(self, index: int) -> Optional[ITensor]:
        """An input; None past the end."""
        return self._inputs[index] if 0 <= index < len(self._inputs) else None

    def get_output(self, index: int) -> Optional[ITensor]:
        """An output; None past the end."""
        return self._outputs[index] if 0 <= index < len(self._outputs) else None
