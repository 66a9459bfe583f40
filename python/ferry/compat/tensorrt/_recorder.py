# SPDX-License-Identifier: Apache-2.0
"""The error_recorder that builders, runtimes, engines and contexts of TensorRT have, and that is not offered."""
from typing import Any, Optional

from ferry.compat._offered import Shim, refused


class WithoutRecorder(Shim):
    """Base of the classes that have an error_recorder: None is what there is."""

    @property
    def error_recorder(self) -> Optional[Any]:
        """None: errors are in the log."""
        return None

    @error_recorder.setter
    def error_recorder(self, recorder: Any) -> None:
        if recorder is not None:
            raise refused("an error recorder", "errors go to the logger: derive from tensorrt.ILogger to collect them")
