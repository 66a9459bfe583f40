# SPDX-License-Identifier: Apache-2.0
"""Tensors as numpy arrays and back over the same memory: no element is copied."""
from typing import Any

import numpy
import torch

from ferry._types import DataType


def array_of(tensor: torch.Tensor) -> numpy.ndarray:
    """A view of a CPU tensor's memory. numpy has no bfloat16: there the array has ferry's stand-in for it."""
    tensor = tensor.detach()
    if tensor.dtype == torch.bfloat16:
        # Reinterpreting an element type wants a dense last dimension; scalars have none.
        flat = tensor if tensor.dim() else tensor.reshape(1)
        return flat.view(torch.int16).numpy().view(DataType.BF16.numpy).reshape(tuple(tensor.shape))
    return tensor.numpy()


def tensor_of(array: numpy.ndarray, data_type: DataType) -> torch.Tensor:
    """A tensor over an array's memory, which it keeps alive."""
    if data_type is DataType.BF16:
        return torch.from_numpy(array.view(numpy.int16)).view(torch.bfloat16)
    if array.dtype.kind == "u" and array.dtype.itemsize > 1 and not hasattr(torch, "uint16"):
        # Before 2.3 torch has signed types only, and the next wider one holds every value but of 64 bits.
        if array.dtype.itemsize == 8:
            raise TypeError("an output of uint64 has no type in torch %s; 2.3 has it" % torch.__version__)
        return torch.from_numpy(array.astype(numpy.int32 if array.dtype.itemsize == 2 else numpy.int64))
    return torch.from_numpy(array)


def data_type_of(tensor: torch.Tensor) -> Any:
    """ferry's name of a tensor's element type, or None."""
    return _TYPES.get(tensor.dtype)


def torch_name(data_type: DataType) -> str:
    """torch's name of an element type, e.g. "torch.float32"; ferry's where torch has none."""
    return next((str(ours) for ours, theirs in _TYPES.items() if theirs is data_type), data_type.onnx)


_TYPES = {getattr(torch, name): data_type for name, data_type in (
    ("float32", DataType.F32), ("float16", DataType.F16), ("bfloat16", DataType.BF16), ("float64", DataType.F64),
    ("int8", DataType.S8), ("uint8", DataType.U8), ("int16", DataType.S16), ("uint16", DataType.U16),
    ("int32", DataType.S32), ("uint32", DataType.U32), ("int64", DataType.S64), ("uint64", DataType.U64),
    ("bool", DataType.BOOL)) if hasattr(torch, name)}
