# SPDX-License-Identifier: Apache-2.0
"""Element types, bindings and the small enumerations, as Python and numpy know them."""
import ctypes
import enum
from typing import Any, NamedTuple, Optional, Tuple

import numpy as np

from ferry._library import I64, integer, lib
from ferry._structs import MAX_RANK, Dims

try:
    from ml_dtypes import bfloat16 as _bfloat16
except ImportError:
    _bfloat16 = None


class DataType(enum.IntEnum):
    """Element types. `numpy` gives the dtype, DataType.of(dtype) the way back."""

    NONE = 0
    F32 = 1
    F16 = 2
    BF16 = 3
    F64 = 4
    S8 = 5
    U8 = 6
    S16 = 7
    U16 = 8
    S32 = 9
    U32 = 10
    S64 = 11
    U64 = 12
    BOOL = 13

    @property
    def numpy(self) -> np.dtype:
        """The numpy dtype. numpy has no bfloat16: it is ml_dtypes' where that is installed, else the bits as uint16."""
        if self is DataType.NONE:
            raise TypeError("a tensor without a type has no numpy dtype")
        return _NUMPY[self]

    @property
    def bytes(self) -> int:
        """Bytes of an element."""
        return lib.dtype_bytes(self)

    @property
    def onnx(self) -> str:
        """ONNX's spelling, e.g. "float16"."""
        return lib.dtype_name(self).decode()

    @classmethod
    def of(cls, dtype: Any) -> "DataType":
        """From a numpy dtype, or anything that np.dtype() takes, or ONNX's spelling."""
        if isinstance(dtype, cls):
            return dtype
        if isinstance(dtype, str) and dtype in _BY_ONNX_NAME:
            return _BY_ONNX_NAME[dtype]
        wanted = np.dtype(dtype)
        for known, as_numpy in _NUMPY.items():
            if as_numpy == wanted:
                return known
        raise TypeError("ferry has no element type %s; it has %s" % (wanted, ", ".join(
            str(t) for t in sorted(set(map(str, _NUMPY.values()))))))


_NUMPY = {
    DataType.F32: np.dtype(np.float32),
    DataType.F16: np.dtype(np.float16),
    DataType.F64: np.dtype(np.float64),
    DataType.S8: np.dtype(np.int8),
    DataType.U8: np.dtype(np.uint8),
    DataType.S16: np.dtype(np.int16),
    DataType.U16: np.dtype(np.uint16),
    DataType.S32: np.dtype(np.int32),
    DataType.U32: np.dtype(np.uint32),
    DataType.S64: np.dtype(np.int64),
    DataType.U64: np.dtype(np.uint64),
    DataType.BOOL: np.dtype(np.bool_),
    DataType.BF16: np.dtype(_bfloat16 if _bfloat16 is not None else np.uint16),
}
_BY_ONNX_NAME = {t.onnx: t for t in DataType}


class Severity(enum.IntEnum):
    """How bad a message is."""

    ERROR = 0
    WARNING = 1
    INFO = 2
    VERBOSE = 3


class Precision(enum.IntFlag):
    """What the builder may use besides FP32."""

    NONE = 0
    FP16 = 1
    BF16 = 2
    INT8 = 4


Shape = Tuple[int, ...]


class Binding(NamedTuple("Binding", [("index", int), ("name", str), ("data_type", DataType), ("is_input", bool),
                                     ("shape", Shape), ("min_shape", Shape), ("opt_shape", Shape),
                                     ("max_shape", Shape)])):
    """An input or output of a network or engine. -1 in `shape` is a dimension left open; the profile's bounds of an
    input are in min_shape, opt_shape and max_shape."""

    __slots__ = ()

    @property
    def dtype(self) -> np.dtype:
        """The numpy dtype of its elements."""
        return self.data_type.numpy

    @property
    def is_dynamic(self) -> bool:
        """Whether some dimension is left open."""
        return -1 in self.shape

    def __str__(self) -> str:
        return "%s '%s': %s %s" % ("input" if self.is_input else "output", self.name, self.data_type.onnx,
                                   list(self.shape))


def binding_of(info: Any, index: int) -> Binding:
    """A Binding from the C struct."""
    rank = info.rank
    return Binding(index, info.name.decode("utf-8", "replace"), DataType(info.dtype), bool(info.is_input),
                   *[tuple(dims[:rank]) for dims in (info.dims, info.min_dims, info.opt_dims, info.max_dims)])


def shape_of(dims: Any, what: str = "a shape") -> Shape:
    """A tuple of ints from any sequence of integers, or one integer."""
    if hasattr(dims, "__index__"):
        dims = (dims,)
    if isinstance(dims, (str, bytes)):
        raise TypeError("%s must be a sequence of integers, not %s" % (what, type(dims).__name__))
    shape = tuple(integer(d, "a dimension of " + what, -1, I64) for d in dims)
    if len(shape) > MAX_RANK:
        raise ValueError("%s has %d dimensions; %d are possible" % (what, len(shape), MAX_RANK))
    return shape


class Device(NamedTuple("Device", [("name", str), ("description", str), ("fingerprint", str), ("memory_bytes", int),
                                   ("available", bool)])):
    """What this machine has: "cpu", "cuda:0", ...; `description` says what it is, or why it can't be used."""

    __slots__ = ()


def elements_of(shape: Shape) -> Optional[int]:
    """Number of elements; None where a dimension is open."""
    count = 1
    for d in shape:
        if d < 0:
            return None
        count *= d
    return count


def binding_shape(box: Any, index: int) -> Shape:
    """A context's shape of a binding."""
    rank, dims = ctypes.c_int(), Dims()
    lib.context_binding_shape(box, index, ctypes.byref(rank), dims)
    return tuple(dims[:rank.value])
