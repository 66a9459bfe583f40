# SPDX-License-Identifier: Apache-2.0
"""DataType, Dims, Weights and IHostMemory, and the helpers volume() and nptype()."""
from typing import Any, Iterable, Optional

import numpy

import ferry
from ferry.compat._offered import Enum, Shim


class DataType(Enum):
    """Element types."""

    FLOAT = 0
    HALF = 1
    INT8 = 2
    INT32 = 3
    BOOL = 4
    UINT8 = 5
    FP8 = 6
    BF16 = 7
    INT64 = 8
    INT4 = 9
    FP4 = 10

    @property
    def itemsize(self) -> Any:
        """Bytes of an element; half a one for 4-bit types."""
        if self in _TO_FERRY:
            return _TO_FERRY[self].bytes
        return 1 if self is DataType.FP8 else 0.5

    @property
    def as_ferry(self) -> ferry.DataType:
        """The same in ferry's words."""
        if self not in _TO_FERRY:
            raise ferry.UnsupportedError("ferry has no tensors of type %s" % self.name)
        return _TO_FERRY[self]

    @classmethod
    def of(cls, dtype: Any) -> "DataType":
        """From ferry's or numpy's type."""
        data_type = ferry.DataType.of(dtype)
        if data_type not in _FROM_FERRY:
            raise TypeError("TensorRT has no element type %s" % data_type.onnx)
        return _FROM_FERRY[data_type]


_TO_FERRY = {
    DataType.FLOAT: ferry.DataType.F32, DataType.HALF: ferry.DataType.F16, DataType.INT8: ferry.DataType.S8,
    DataType.INT32: ferry.DataType.S32, DataType.BOOL: ferry.DataType.BOOL, DataType.UINT8: ferry.DataType.U8,
    DataType.BF16: ferry.DataType.BF16, DataType.INT64: ferry.DataType.S64,
}
_FROM_FERRY = {value: key for key, value in _TO_FERRY.items()}
_NUMPY = {
    DataType.FLOAT: numpy.float32, DataType.HALF: numpy.float16, DataType.INT8: numpy.int8,
    DataType.INT32: numpy.int32, DataType.BOOL: numpy.bool_, DataType.UINT8: numpy.uint8, DataType.INT64: numpy.int64,
}


def nptype(trt_type: DataType) -> type:
    """The numpy type of a DataType; TypeError where numpy has none."""
    try:
        return _NUMPY[trt_type]
    except KeyError:
        raise TypeError("Could not resolve TensorRT datatype %s to an equivalent numpy datatype." % trt_type) from None


def volume(iterable: Iterable[int]) -> int:
    """The product of a shape's dimensions: 1 for a scalar, negative where one is open."""
    total = 1
    for dimension in iterable:
        total *= dimension
    return total


class Dims:
    """A shape. Where one is wanted, a tuple or list does as well."""

    MAX_DIMS = 8

    def __init__(self, shape: Any = ()) -> None:
        dims = [int(d) for d in ((shape,) if hasattr(shape, "__index__") else shape)]
        if len(dims) > self.MAX_DIMS:
            raise ValueError("Input length %d: the maximum number of dimensions is %d" % (len(dims), self.MAX_DIMS))
        self._dims = dims

    def __len__(self) -> int:
        return len(self._dims)

    def __iter__(self) -> Any:
        return iter(self._dims)

    def __getitem__(self, index: Any) -> Any:
        return tuple(self._dims[index]) if isinstance(index, slice) else self._dims[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, slice):
            values = [int(v) for v in value]
            if len(values) != len(self._dims[index]):
                raise ValueError("assigning %d values to %d dimensions" % (len(values), len(self._dims[index])))
            self._dims[index] = values
        else:
            self._dims[index] = int(value)

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, (Dims, tuple, list)) and list(other) == self._dims

    __hash__: Any = None

    def __str__(self) -> str:
        return str(tuple(self._dims))

    __repr__ = __str__

    def numel(self) -> int:
        """The number of elements."""
        return volume(self._dims)


def _sized(name: str, count: int, what: str) -> type:
    def __init__(self, *shape):
        Dims.__init__(self, shape[0] if len(shape) == 1 else shape or (0,) * count)
        if len(self) != count:
            raise ValueError("%s has %d dimensions, and %d were given" % (name, count, len(self)))

    return type(name, (Dims,), {"__init__": __init__, "__doc__": what, "__module__": __name__})


Dims2: Any = _sized("Dims2", 2, "A shape of two dimensions.")
Dims3: Any = _sized("Dims3", 3, "A shape of three dimensions.")
Dims4: Any = _sized("Dims4", 4, "A shape of four dimensions.")


class DimsHW(Dims2):
    """Height and width."""

    @property
    def h(self) -> int:
        """The height."""
        return self[0]

    @h.setter
    def h(self, value: int) -> None:
        self[0] = value

    @property
    def w(self) -> int:
        """The width."""
        return self[1]

    @w.setter
    def w(self, value: int) -> None:
        self[1] = value


class Permutation(Dims):
    """An order of dimensions."""


class Weights:
    """Constants of a layer: of a numpy array, or, with a DataType, none of that type. An array does as well."""

    def __init__(self, a: Any = DataType.FLOAT, *_more: Any) -> None:
        if isinstance(a, DataType):
            self._array = numpy.empty(0, nptype(a))
        else:
            self._array = numpy.ascontiguousarray(a)

    @property
    def dtype(self) -> DataType:
        """The element type."""
        return DataType.of(self._array.dtype)

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._array.size

    @property
    def nbytes(self) -> int:
        """The number of bytes."""
        return self._array.nbytes

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> numpy.ndarray:
        return self._array if dtype is None else self._array.astype(dtype)

    def __len__(self) -> int:
        return self._array.size

    def numpy(self) -> Any:
        """The array itself."""
        return self._array


class IHostMemory(bytes, Shim):
    """Bytes of an engine or a timing cache: write them to a file, or look at them as a buffer."""

    @property
    def nbytes(self) -> int:
        """How many there are."""
        return len(self)

    @property
    def dtype(self) -> DataType:
        """Of its elements: bytes."""
        return DataType.INT8
