# SPDX-License-Identifier: Apache-2.0
"""Memory of the device: raw blocks, arrays with a shape, pinned host arrays, and their exchange with other libraries.

Device memory is reached through copies on a stream only, except where the runtime says that it is the host's."""
import ctypes
from typing import Any, Optional, Tuple

import numpy as np

from ferry import _dlpack
from ferry._errors import InvalidArgumentError, OutOfMemoryError, UnavailableError, UnsupportedError
from ferry._handles import Box, Handle, box_of_runtime
from ferry._library import I64, integer, lib
from ferry._types import DataType, Shape, elements_of, shape_of


class DeviceMemory(Handle):
    """A block of device memory: `runtime.alloc(bytes)`. int(memory) and memory.address give its address."""

    def __init__(self, runtime: Any, nbytes: int) -> None:
        owner = box_of_runtime(runtime)
        self.runtime = runtime
        self.nbytes = integer(nbytes, "nbytes", 0, I64)
        address = lib.memory_alloc(owner, self.nbytes)
        if not address:
            raise OutOfMemoryError("device %s has no %d bytes left" % (runtime.device, self.nbytes))
        self._box = Box(address, _releaser(lib.memory_free, owner, self.nbytes), parent=owner)

    @property
    def address(self) -> int:
        """Of its first byte, as the device sees it."""
        return self._use()._as_parameter_

    def __int__(self) -> int:
        return self.address

    __index__ = __int__

    def array(self, shape: Any, dtype: Any) -> "DeviceArray":
        """The block's first bytes as an array, which keeps the block alive."""
        box = self._use()
        made = DeviceArray(self.runtime, box._as_parameter_, shape, dtype, box)
        if made.nbytes > self.nbytes:
            raise InvalidArgumentError("an array of %d bytes does not fit into a block of %d"
                                       % (made.nbytes, self.nbytes))
        return made

    def free(self) -> None:
        """Gives the block back. Nothing queued may still use it."""
        self.close()

    def __repr__(self) -> str:
        return "<ferry.DeviceMemory: %s>" % ("freed" if self.closed else "%d bytes on %s" % (
            self.nbytes, self.runtime.device))


def _releaser(free: Any, owner: Box, nbytes: int) -> Any:
    return lambda address: free(owner, address, nbytes)


class _Pinned:
    """Pinned host memory behind a numpy array, freed when the last array over it is gone."""

    def __init__(self, runtime: Any, shape: Shape, dtype: np.dtype) -> None:
        nbytes = (elements_of(shape) or 0) * dtype.itemsize
        owner = box_of_runtime(runtime)
        address = lib.pinned_alloc(owner, nbytes)
        if not address:
            raise OutOfMemoryError("no %d bytes of pinned memory are left" % nbytes)
        self._box = Box(address, _releaser(lib.pinned_free, owner, nbytes), parent=owner)
        self.__array_interface__ = {"version": 3, "shape": shape, "typestr": "|u1" if dtype.itemsize == 1 else
                                    "|V%d" % dtype.itemsize, "data": (address, False)}


def pinned_empty(runtime: Any, shape: Any, dtype: Any) -> np.ndarray:
    """A host array that the device copies from and to without staging; its contents are undefined."""
    dims, element = shape_of(shape), np.dtype(dtype)
    if elements_of(dims) is None:
        raise InvalidArgumentError("an array of shape %s: no dimension may be open" % (list(dims),))
    return np.asarray(_Pinned(runtime, dims, element)).view(element)


class DeviceArray:
    """A dense array in device memory: `runtime.empty(shape, dtype)`, `runtime.to_device(array)`, `ferry.from_dlpack`.

    It speaks DLPack; on the CPU also __array_interface__ (np.asarray(x) is a view), on CUDA
    __cuda_array_interface__. `numpy()` copies to the host."""

    def __init__(self, runtime: Any, address: int, shape: Any, dtype: Any, owner: Any = None,
                 read_only: bool = False) -> None:
        box_of_runtime(runtime)
        self.runtime = runtime
        self.shape = shape_of(shape)
        self.data_type = DataType.of(dtype)
        count = elements_of(self.shape)
        if count is None:
            raise InvalidArgumentError("an array of shape %s: no dimension may be open" % (list(self.shape),))
        self.size = count
        self.nbytes = count * self.data_type.bytes
        self.address = address
        self.read_only = read_only
        self._owner = owner

    @property
    def dtype(self) -> np.dtype:
        """The numpy dtype of its elements."""
        return self.data_type.numpy

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def reshape(self, *shape: Any) -> "DeviceArray":
        """The same memory with another shape of as many elements."""
        dims = shape_of(shape[0] if len(shape) == 1 else shape)
        if elements_of(dims) != self.size:
            raise InvalidArgumentError("shape %s has not the %d elements of %s" % (list(dims), self.size,
                                                                                  list(self.shape)))
        return DeviceArray(self.runtime, self.address, dims, self.data_type, self._owner, self.read_only)

    def copy_from(self, array: Any, stream: Any = None) -> "DeviceArray":
        """Fills it from a host array of the same type and number of elements, and waits for it."""
        if self.read_only:
            raise InvalidArgumentError("this array may only be read")
        source = np.ascontiguousarray(array)
        if source.dtype != self.dtype or source.size != self.size:
            raise InvalidArgumentError("a %s array of %d elements can't fill one of %d %s" % (
                source.dtype, source.size, self.size, self.dtype))
        stream = stream or self.runtime.stream()
        stream.copy_to_device(self, source)
        stream.wait()
        return self

    def numpy(self, stream: Any = None) -> np.ndarray:
        """A copy in host memory, waited for."""
        out = np.empty(self.shape, self.dtype)
        stream = stream or self.runtime.stream()
        stream.copy_from_device(out, self)
        stream.wait()
        return out

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> np.ndarray:
        if self.runtime.host_memory and not copy:
            view = np.asarray(_HostView(self)).view(self.dtype).reshape(self.shape)
            return view if dtype is None else view.astype(dtype, copy=False)
        if copy is False:
            raise ValueError("memory of %s can't be seen by numpy without a copy" % self.runtime.device)
        made = self.numpy()
        return made if dtype is None else made.astype(dtype, copy=False)

    @property
    def __array_interface__(self) -> dict:
        if not self.runtime.host_memory:
            raise AttributeError("memory of %s is not the host's: .numpy() copies it" % self.runtime.device)
        if self.dtype.kind == "V":  # numpy then asks __array__
            raise AttributeError("%s has no name in numpy's array interface" % self.dtype)
        return {"version": 3, "shape": self.shape, "typestr": self.dtype.str, "data": (self.address, self.read_only)}

    @property
    def __cuda_array_interface__(self) -> dict:
        if not self.runtime.device.startswith("cuda"):
            raise AttributeError("memory of %s is not CUDA's" % self.runtime.device)
        return {"version": 3, "shape": self.shape, "typestr": self.dtype.str, "data": (self.address, self.read_only),
                "strides": None, "stream": None}

    def __dlpack_device__(self) -> Tuple[int, int]:
        return dlpack_device(self.runtime)

    def __dlpack__(self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None,
                   copy: Optional[bool] = None) -> Any:
        device = dlpack_device(self.runtime)
        if dl_device is not None and tuple(dl_device) != device:
            raise BufferError("the array is on DLPack device %s, not %s" % (device, tuple(dl_device)))
        if copy:
            return self.runtime.to_device(self.numpy()).__dlpack__(max_version=max_version)
        if self.runtime.host_memory and stream not in (None, -1):
            raise BufferError("memory of the CPU has no CUDA stream; stream is %r" % (stream,))
        return _dlpack.make_capsule(self, self.address, self.shape, self.data_type, device, self.read_only,
                                    max_version)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a scalar has no length")
        return self.shape[0]

    def __repr__(self) -> str:
        return "<ferry.DeviceArray %s %s on %s at 0x%x>" % (self.dtype, list(self.shape), self.runtime.device,
                                                            self.address)


class _HostView:
    """Lets numpy see a DeviceArray as bytes, whatever its type: ml_dtypes' have no typestr of their own."""

    def __init__(self, array: DeviceArray) -> None:
        self.array = array
        self.__array_interface__ = {"version": 3, "shape": (array.size,), "typestr": "|V%d" % array.dtype.itemsize,
                                    "data": (array.address, array.read_only)}


def dlpack_device(runtime: Any) -> Tuple[int, int]:
    """DLPack's name of the runtime's device."""
    if runtime.host_memory:
        return _dlpack.CPU, 0
    name, _, number = runtime.device.partition(":")
    if name == "cuda":
        return _dlpack.CUDA, int(number or 0)
    raise BufferError("DLPack has no device for %s: .numpy() copies to the host" % runtime.device)


def from_dlpack(tensor: Any, runtime: Any = None) -> DeviceArray:
    """A DeviceArray over the memory of another library's tensor (anything with __dlpack__), which it keeps alive.

    The memory must be that of the runtime's device; without a runtime, of the CPU or of the GPU that is the best device
    here."""
    if runtime is not None:
        box_of_runtime(runtime)
    foreign = _dlpack.take(tensor)
    if runtime is None:
        from ferry._runtime import default_runtime
        runtime = default_runtime("cpu" if foreign.device[0] in (_dlpack.CPU, _dlpack.CUDA_HOST) else None)
    reachable = (_dlpack.CPU, _dlpack.CUDA_HOST) if runtime.host_memory else (dlpack_device(runtime)[0],)
    if foreign.device[0] not in reachable:
        raise UnavailableError("the tensor lies on DLPack device %s, which the runtime's %s can't reach: move it "
                               "first (.cpu() in torch)" % (foreign.device, runtime.device))
    return DeviceArray(runtime, foreign.address, foreign.shape, foreign.data_type, foreign.owner, foreign.read_only)


def from_cuda_interface(array: Any, runtime: Any) -> DeviceArray:
    """A DeviceArray over memory offered through __cuda_array_interface__."""
    if not runtime.device.startswith("cuda"):
        raise UnavailableError("a %s lies in CUDA memory, and this runtime's device is %s: make the runtime with "
                               "device='cuda', or copy the array to the host" % (type(array).__name__, runtime.device))
    offered = array.__cuda_array_interface__
    if offered.get("strides") is not None:
        raise UnsupportedError("the CUDA array is not contiguous: make it so first")
    address, read_only = offered["data"]
    return DeviceArray(runtime, address, offered["shape"], np.dtype(offered["typestr"]), array, read_only)


def device_array_of(value: Any, runtime: Any) -> Optional[DeviceArray]:
    """Whatever can be bound as it is, as a DeviceArray; None where it has to be looked at as a host array."""
    if isinstance(value, DeviceArray):
        return value
    # numpy's arrays speak DLPack too, but without their read-only flag before version 1.
    if isinstance(value, np.ndarray):
        return None
    # getattr, not hasattr: torch's CPU tensors have the attribute and raise on access.
    try:
        cuda = getattr(value, "__cuda_array_interface__", None)
    except (TypeError, RuntimeError):
        cuda = None
    if cuda is not None:
        return from_cuda_interface(value, runtime)
    return from_dlpack(value, runtime) if hasattr(value, "__dlpack__") else None


def host_array(address: int, nbytes: int) -> np.ndarray:
    """Bytes of host memory as an array, which does not own them."""
    return np.frombuffer((ctypes.c_char * nbytes).from_address(address), np.uint8)
