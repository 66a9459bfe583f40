# SPDX-License-Identifier: Apache-2.0
"""DLPack capsules by ctypes, made and taken: tensors of torch, cupy, numpy and jax without a copy.

A capsule that was made owns a reference to its Python owner, dropped by DLPack's deleter, which any thread may call at
any time, even with no Python frame left: the owner is kept in a table until then. A capsule that is taken is renamed,
as the protocol wants, and its deleter is called when the last array over its memory is gone."""
import ctypes
from ctypes import c_char_p, c_int32, c_int64, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p
from typing import Any, Dict, NamedTuple, Tuple

from ferry._errors import UnsupportedError
from ferry._types import DataType, Shape

CPU, CUDA, CUDA_HOST = 1, 2, 3
_READ_ONLY = 1


class _Device(ctypes.Structure):
    _fields_ = [("type", c_int32), ("id", c_int32)]


class _DataType(ctypes.Structure):
    _fields_ = [("code", c_uint8), ("bits", c_uint8), ("lanes", c_uint16)]


class _Tensor(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("device", _Device), ("ndim", c_int32), ("dtype", _DataType),
                ("shape", ctypes.POINTER(c_int64)), ("strides", ctypes.POINTER(c_int64)), ("byte_offset", c_uint64)]


_Deleter = ctypes.CFUNCTYPE(None, c_void_p)


class _Managed(ctypes.Structure):
    _fields_ = [("tensor", _Tensor), ("context", c_void_p), ("deleter", _Deleter)]


class _Versioned(ctypes.Structure):
    _fields_ = [("major", c_uint32), ("minor", c_uint32), ("context", c_void_p), ("deleter", _Deleter),
                ("flags", c_uint64), ("tensor", _Tensor)]


_CODES: Dict[DataType, Tuple[int, int]] = {
    DataType.S8: (0, 8), DataType.S16: (0, 16), DataType.S32: (0, 32), DataType.S64: (0, 64),
    DataType.U8: (1, 8), DataType.U16: (1, 16), DataType.U32: (1, 32), DataType.U64: (1, 64),
    DataType.F16: (2, 16), DataType.F32: (2, 32), DataType.F64: (2, 64),
    DataType.BF16: (4, 16), DataType.BOOL: (6, 8),
}
_TYPES = {code: data_type for data_type, code in _CODES.items()}

# The destructor gets its capsule when nobody refers to it: as a bare address, since a py_object would revive it.
_Destructor = ctypes.PYFUNCTYPE(None, c_void_p)


def _python_call(name: str, returns: Any, *takes: Any) -> Any:
    return ctypes.PYFUNCTYPE(returns, *takes)((name, ctypes.pythonapi))


_capsule_new = _python_call("PyCapsule_New", ctypes.py_object, c_void_p, c_char_p, c_void_p)
_is_valid = _python_call("PyCapsule_IsValid", ctypes.c_int, c_void_p, c_char_p)
_get_pointer = _python_call("PyCapsule_GetPointer", c_void_p, c_void_p, c_char_p)
_set_name = _python_call("PyCapsule_SetName", ctypes.c_int, ctypes.py_object, c_char_p)

_NAME, _VERSIONED_NAME = b"dltensor", b"dltensor_versioned"
_USED_NAME, _USED_VERSIONED_NAME = b"used_dltensor", b"used_dltensor_versioned"

_alive: Dict[int, Tuple[Any, ...]] = {}


@_Deleter
def _delete(address):
    _alive.pop(address, None)


@_Destructor
def _destroy(capsule):
    for name in (_NAME, _VERSIONED_NAME):
        if _is_valid(capsule, name):
            _alive.pop(_get_pointer(capsule, name), None)


# Capsules and arrays of others may outlive this module; what they call must outlive them.
for _forever in (_delete, _destroy):
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(_forever))


def make_capsule(owner: Any, address: int, shape: Shape, data_type: DataType, device: Tuple[int, int],
                 read_only: bool = False, max_version: Any = None) -> Any:
    """A capsule over dense memory that `owner` keeps alive."""
    versioned = max_version is not None and max_version[0] >= 1
    if read_only and not versioned:
        raise BufferError("this tensor may only be read, and the consumer's DLPack has no way to say so")
    rank = len(shape)
    strides, step = [], 1
    for d in reversed(shape):
        strides.insert(0, step)
        step *= d
    dims, steps = (c_int64 * max(rank, 1))(*shape), (c_int64 * max(rank, 1))(*strides)
    managed = _Versioned() if versioned else _Managed()
    managed.tensor = _Tensor(address, _Device(*device), rank, _DataType(*_CODES[data_type], lanes=1), dims, steps, 0)
    managed.deleter = _delete
    if versioned:
        managed.major, managed.minor, managed.flags = 1, 0, _READ_ONLY if read_only else 0
    at = ctypes.addressof(managed)
    managed.context = at
    _alive[at] = (managed, dims, steps, owner)
    try:
        return _capsule_new(at, _VERSIONED_NAME if versioned else _NAME, ctypes.cast(_destroy, c_void_p))
    except BaseException:
        _alive.pop(at, None)
        raise


class _Taken:
    """Calls a taken tensor's deleter when nobody needs the memory any more."""

    def __init__(self, managed: Any) -> None:
        self.managed = managed
        self.address = ctypes.addressof(managed)

    def __del__(self) -> None:
        if self.managed.deleter:
            self.managed.deleter(self.address)


Foreign = NamedTuple("Foreign", [("owner", Any), ("address", int), ("shape", Shape), ("data_type", DataType),
                                 ("device", Tuple[int, int]), ("read_only", bool)])


def _is_dense(tensor: _Tensor) -> bool:
    if not tensor.strides:
        return True
    step = 1
    for d in reversed(range(tensor.ndim)):
        if tensor.shape[d] > 1 and tensor.strides[d] != step:
            return False
        step *= tensor.shape[d]
    return True


def _capsule_of(tensor: Any) -> Any:
    try:
        return tensor.__dlpack__(max_version=(1, 0))
    except TypeError:  # a producer from before versions
        return tensor.__dlpack__()


def take(tensor: Any) -> Foreign:
    """The memory of any object with __dlpack__, or of a bare capsule."""
    capsule = _capsule_of(tensor) if hasattr(tensor, "__dlpack__") else tensor
    if type(capsule).__name__ != "PyCapsule":
        raise TypeError("%s has no __dlpack__ and is no capsule" % type(tensor).__name__)
    for name, used, kind in ((_VERSIONED_NAME, _USED_VERSIONED_NAME, _Versioned), (_NAME, _USED_NAME, _Managed)):
        if _is_valid(id(capsule), name):
            managed = kind.from_address(_get_pointer(id(capsule), name))
            return _take_managed(capsule, managed, used)
    raise TypeError("this capsule holds no DLPack tensor, or one that was taken already")


def _take_managed(capsule: Any, managed: Any, used_name: bytes) -> Foreign:
    tensor = managed.tensor
    shape = tuple(tensor.shape[:tensor.ndim]) if tensor.ndim else ()
    data_type = _TYPES.get((tensor.dtype.code, tensor.dtype.bits)) if tensor.dtype.lanes == 1 else None
    if data_type is None:
        raise UnsupportedError("ferry has no element type for DLPack's code %d of %d bits, %d lanes"
                               % (tensor.dtype.code, tensor.dtype.bits, tensor.dtype.lanes))
    if not _is_dense(tensor):
        raise UnsupportedError("the tensor of shape %s is not contiguous: make it so first (.contiguous())"
                               % (list(shape),))
    # From here on the tensor is ours: its maker must not delete it with the capsule.
    _set_name(capsule, used_name)
    read_only = bool(getattr(managed, "flags", 0) & _READ_ONLY)
    return Foreign(_Taken(managed), (tensor.data or 0) + tensor.byte_offset, shape, data_type,
                   (tensor.device.type, tensor.device.id), read_only)
