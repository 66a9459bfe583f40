# SPDX-License-Identifier: Apache-2.0
"""cuda-python as newer samples use it: `from cuda import cuda, cudart`. The runtime's functions for memory, streams and
events are offered; of the driver only its result codes are."""
from ferry.compat._offered import answer_for
from ferry.compat.cuda import cuda, cudart

__version__ = "12.2.0"
__all__ = ["cuda", "cudart"]

answer_for(__name__)
