# SPDX-License-Identifier: Apache-2.0
"""cuda.cuda: result codes of the driver, for scripts that look which of the two kinds an error is of."""
from ferry.compat._offered import Enum, answer_for


class CUresult(Enum):
    """Result codes of the driver."""

    CUDA_SUCCESS = 0
    CUDA_ERROR_INVALID_VALUE = 1
    CUDA_ERROR_OUT_OF_MEMORY = 2
    CUDA_ERROR_NOT_READY = 600
    CUDA_ERROR_UNKNOWN = 999


__all__ = ["CUresult"]

answer_for(__name__)
