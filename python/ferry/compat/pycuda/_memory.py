# SPDX-License-Identifier: Apache-2.0
"""Device memory, page-locked host arrays, and the copies between them."""
from typing import Any, Optional, Tuple

import numpy

from ferry.compat import _device
from ferry.compat._offered import Enum, Shim
from ferry.compat.pycuda._errors import LogicError, driver_call


class host_alloc_flags(Enum):
    """Of pagelocked_empty()."""

    PORTABLE = 1
    DEVICEMAP = 2
    WRITECOMBINED = 4


class host_register_flags(Enum):
    """Of register_host_memory()."""

    PORTABLE = 1
    DEVICEMAP = 2


class mem_attach_flags(Enum):
    """Of managed_empty()."""

    GLOBAL = 1
    HOST = 2
    SINGLE = 4


class DeviceAllocation(Shim):
    """A block of device memory: mem_alloc(bytes). int() gives its address; it is freed when nothing refers to it."""

    def __init__(self, nbytes: int) -> None:
        self._memory = _device.allocate(nbytes)

    def __int__(self) -> int:
        with driver_call():
            return self._memory.address

    __index__ = __int__

    def __add__(self, offset: int) -> int:
        return int(self) + int(offset)

    def __hash__(self) -> int:
        return hash(int(self))

    def __eq__(self, other: Any) -> bool:
        return hasattr(other, "__int__") and int(self) == int(other)

    def free(self) -> None:
        """Gives it back, once what is queued has been done with it."""
        if self._memory.closed:
            raise LogicError("this memory was freed already")
        self._memory.free()

    def as_buffer(self, size: int, offset: int = 0) -> numpy.ndarray:
        """The memory as a buffer, where device memory is the host's."""
        return _as_host(int(self) + offset, size, self)

    def __repr__(self) -> str:
        return "<pycuda.driver.DeviceAllocation: %r>" % (self._memory,)


def _as_host(address: int, nbytes: int, owner: Any) -> numpy.ndarray:
    if not _device.runtime().host_memory:
        raise LogicError("memory of %s can't be seen by the host: copy it with memcpy_dtoh()"
                         % _device.runtime().device)
    with driver_call():
        array = numpy.asarray(_device.raw(address, nbytes))
    return array


def mem_alloc(bytes: int) -> DeviceAllocation:
    """Allocates device memory."""
    if isinstance(bytes, float) or not hasattr(bytes, "__index__"):
        raise TypeError("mem_alloc(): the number of bytes must be an int, not %s" % type(bytes).__name__)
    nbytes = bytes.__index__()
    if nbytes <= 0:
        raise LogicError("mem_alloc(%d): invalid value. A shape with an open dimension (-1) gives a negative size: set "
                         "the context's input shapes first, or take the profile's largest" % nbytes)
    with driver_call():
        return DeviceAllocation(nbytes)


def mem_alloc_pitch(width: int, height: int, access_size: int) -> Tuple[DeviceAllocation, int]:
    """Allocates rows that begin at multiples of 64 bytes; returns the memory and the bytes from row to row."""
    pitch = -(-int(width) // 64) * 64
    return mem_alloc(pitch * int(height)), pitch


class PagelockedHostAllocation:
    """The memory behind a page-locked array, as its `base`."""

    def __init__(self, shape: Tuple[int, ...], dtype: numpy.dtype, order: str) -> None:
        count = 1
        for d in shape:
            count *= d
        with driver_call():
            self._bytes = _device.runtime().pinned_empty((count * dtype.itemsize,), numpy.uint8)
        strides = numpy.empty((0,) * len(shape), dtype).strides if not count else None
        if count and order == "F":
            strides, step = [], dtype.itemsize
            for d in shape:
                strides.append(step)
                step *= d
            strides = tuple(strides)
        self.__array_interface__ = {"version": 3, "shape": shape, "typestr": dtype.str, "descr": dtype.descr,
                                    "data": (self._bytes.ctypes.data, False), "strides": strides}

    def get_device_pointer(self) -> int:
        """Where the device sees it, where it sees host memory at all."""
        if not _device.reaches_pinned_memory():
            raise LogicError("%s does not reach page-locked memory by itself: copy it with memcpy_htod()"
                             % _device.runtime().device)
        return self._bytes.ctypes.data

    def free(self) -> None:
        """It is freed when the last array over it is gone; nothing happens before."""


def pagelocked_empty(shape: Any, dtype: Any, order: str = "C", mem_flags: Any = 0) -> numpy.ndarray:
    """A host array that the device copies from and to without staging; its contents are undefined."""
    dims = (shape,) if hasattr(shape, "__index__") else tuple(shape)
    dims = tuple(int(d) for d in dims)
    if any(d < 0 for d in dims):
        raise ValueError("pagelocked_empty(): negative dimensions are not allowed (%s). trt.volume() is negative for a "
                         "shape with an open dimension (-1)" % (dims,))
    if order not in ("C", "F"):
        raise LogicError("pagelocked_empty(): order is '%s'; it may be 'C' or 'F'" % order)
    return numpy.asarray(PagelockedHostAllocation(dims, numpy.dtype(dtype), order))


def pagelocked_zeros(shape: Any, dtype: Any, order: str = "C", mem_flags: Any = 0) -> numpy.ndarray:
    """The same, zeroed."""
    array = pagelocked_empty(shape, dtype, order, mem_flags)
    array.fill(0)
    return array


def _order(array: numpy.ndarray) -> str:
    return "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"


def pagelocked_empty_like(array: numpy.ndarray, mem_flags: Any = 0) -> numpy.ndarray:
    """A page-locked array of another's shape, type and order."""
    return pagelocked_empty(array.shape, array.dtype, _order(array), mem_flags)


def pagelocked_zeros_like(array: numpy.ndarray, mem_flags: Any = 0) -> numpy.ndarray:
    """The same, zeroed."""
    return pagelocked_zeros(array.shape, array.dtype, _order(array), mem_flags)


def aligned_empty(shape: Any, dtype: Any, order: str = "C", alignment: int = 4096) -> numpy.ndarray:
    """A host array whose first byte lies at a multiple of `alignment`."""
    element = numpy.dtype(dtype)
    dims = (shape,) if hasattr(shape, "__index__") else tuple(shape)
    nbytes = int(numpy.prod(dims, dtype=numpy.int64)) * element.itemsize
    memory = numpy.empty(nbytes + alignment, numpy.uint8)
    start = -memory.ctypes.data % alignment
    return memory[start:start + nbytes].view(element).reshape(dims, order=order)


def register_host_memory(ary: numpy.ndarray, flags: Any = 0) -> numpy.ndarray:
    """An array that may be copied from and to asynchronously: ferry takes any, so it is the same memory."""
    _device.host_bytes(ary, writes=False)
    return ary.view()


def managed_empty(shape: Any, dtype: Any, order: str = "C", mem_flags: Any = 0) -> numpy.ndarray:
    """An array that both device and host see: page-locked memory, where the device reaches that."""
    if not _device.reaches_pinned_memory():
        raise LogicError("ferry has no managed memory on %s: use mem_alloc() and copies" % _device.runtime().device)
    return pagelocked_empty(shape, dtype, order)


def managed_zeros(shape: Any, dtype: Any, order: str = "C", mem_flags: Any = 0) -> numpy.ndarray:
    """The same, zeroed."""
    array = managed_empty(shape, dtype, order, mem_flags)
    array.fill(0)
    return array


# --- Copies ----------------------------------------------------------------------------------------------------------


def _handle(stream: Any) -> Optional[int]:
    return None if stream is None else int(getattr(stream, "handle", stream))


def memcpy_htod_async(dest: Any, src: Any, stream: Any = None) -> None:
    """Queues a copy from the host to the device."""
    with driver_call():
        _device.copy_to_device(int(dest), src, _handle(stream))


def memcpy_dtoh_async(dest: Any, src: Any, stream: Any = None) -> None:
    """Queues a copy from the device that fills `dest`."""
    with driver_call():
        _device.copy_from_device(dest, int(src), _handle(stream))


def memcpy_dtod_async(dest: Any, src: Any, size: int, stream: Any = None) -> None:
    """Queues a copy on the device."""
    with driver_call():
        _device.copy_on_device(int(dest), int(src), int(size), _handle(stream))


def _wait() -> None:
    with driver_call(waiting=True):
        _device.synchronize()


def memcpy_htod(dest: Any, src: Any) -> None:
    """Copies from the host to the device, after all that is queued, and waits for it."""
    memcpy_htod_async(dest, src)
    _wait()


def memcpy_dtoh(dest: Any, src: Any) -> None:
    """Copies from the device so that `dest` is full, after all that is queued, and waits for it."""
    memcpy_dtoh_async(dest, src)
    _wait()


def memcpy_dtod(dest: Any, src: Any, size: int) -> None:
    """Copies on the device and waits for it."""
    memcpy_dtod_async(dest, src, size)
    _wait()


def to_device(bf_obj: Any) -> DeviceAllocation:
    """A new allocation with a copy of a host buffer."""
    allocation = mem_alloc(_device.host_bytes(bf_obj, writes=False).nbytes)
    memcpy_htod(allocation, bf_obj)
    return allocation


def from_device(devptr: Any, shape: Any, dtype: Any, order: str = "C") -> numpy.ndarray:
    """A new host array with a copy of device memory."""
    array = numpy.empty(shape, dtype, order)
    memcpy_dtoh(array, devptr)
    return array


def from_device_like(devptr: Any, other_ary: numpy.ndarray) -> numpy.ndarray:
    """The same, with another array's shape and type."""
    return from_device(devptr, other_ary.shape, other_ary.dtype)


def _fill(dest: Any, value: Any, count: int, dtype: Any, stream: Any) -> None:
    with driver_call():
        _device.fill(int(dest), value, int(count), dtype, _handle(stream))


def memset_d8(dest: Any, value: int, count: int) -> None:
    """Fills `count` bytes."""
    _fill(dest, value, count, numpy.uint8, None)
    _wait()


def memset_d16(dest: Any, value: int, count: int) -> None:
    """Fills `count` 16-bit words."""
    _fill(dest, value, count, numpy.uint16, None)
    _wait()


def memset_d32(dest: Any, value: int, count: int) -> None:
    """Fills `count` 32-bit words."""
    _fill(dest, value, count, numpy.uint32, None)
    _wait()


def memset_d8_async(dest: Any, value: int, count: int, stream: Any = None) -> None:
    """Queues the filling of `count` bytes."""
    _fill(dest, value, count, numpy.uint8, stream)


def memset_d32_async(dest: Any, value: int, count: int, stream: Any = None) -> None:
    """Queues the filling of `count` 32-bit words."""
    _fill(dest, value, count, numpy.uint32, stream)


def mem_get_info() -> Tuple[int, int]:
    """Bytes of device memory that are free, and in all."""
    with driver_call():
        return _device.free_and_total()
