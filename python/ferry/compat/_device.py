# SPDX-License-Identifier: Apache-2.0
"""The one device that all stand-ins share: its memory by address, its streams by handle, its null stream.

Scripts pass addresses and stream handles around as bare integers. Here they find their way back to the objects behind
them, which are then kept alive while the device uses them, and which know how large they are. Nothing here assumes
that device memory is the host's: all of it goes through copies on streams."""
import atexit
import bisect
import ctypes
import os
import weakref
from typing import Any, Dict, List, Optional, Tuple

import numpy

import ferry

_state: Dict[str, Any] = {}
_streams: Any = weakref.WeakValueDictionary()
_memories: Dict[int, Any] = {}
_log: List[Any] = []


def set_log(function: Any) -> None:
    """Where the runtime's messages go from now on: function(severity, text). One for the process, as in TensorRT."""
    _log[:] = [function]


def _pass_on(severity: ferry.Severity, text: str) -> None:
    if _log:
        _log[-1](severity, text)
    else:
        ferry.Logger().log(severity, text)


def runtime() -> ferry.Runtime:
    """The shared runtime: the best device there is, helped by the CPU with what it has no kernel for."""
    if "runtime" not in _state:
        _state["runtime"] = ferry.Runtime(fallback=True, logger=ferry.Logger(ferry.Severity.VERBOSE, _pass_on))
    return _state["runtime"]


@atexit.register
def _let_go() -> None:
    """Releases the null stream and the runtime while the interpreter is still whole."""
    _state.clear()


# --- Memory ----------------------------------------------------------------------------------------------------------


def allocate(nbytes: int) -> ferry.DeviceMemory:
    """A block that can be found by any address within it for as long as it lives."""
    memory = runtime().alloc(nbytes)
    start = memory.address

    def forget(reference):
        if _memories.get(start) is reference:
            del _memories[start]
            _sort()

    _memories[start] = weakref.ref(memory, forget)
    _sort()
    return memory


def _sort() -> None:
    """Puts a new list into place: other threads go on searching in the one that they have."""
    _state["starts"] = sorted(_memories)


def find(address: int) -> Optional[Tuple[ferry.DeviceMemory, int]]:
    """The block that an address lies in, and the bytes from there to its end; None for memory of others."""
    starts = _state.get("starts", ())
    at = bisect.bisect_right(starts, address) - 1
    reference = _memories.get(starts[at]) if at >= 0 else None
    memory = None if reference is None else reference()
    if memory is None or memory.closed:
        return None
    left = memory.address + memory.nbytes - address
    return (memory, left) if left > 0 else None


def view(address: int, shape: Any, dtype: Any) -> ferry.DeviceArray:
    """Device memory at an address as an array that keeps the memory alive. Blocks allocated here are held to their
    size; memory of other libraries is taken on trust."""
    found = find(address)
    array = ferry.DeviceArray(runtime(), address, shape, dtype, None if found is None else found[0]._use())
    if found is not None and array.nbytes > found[1]:
        raise ferry.InvalidArgumentError(
            "%d bytes (%s %s) are needed at device address 0x%x, and the allocation there has %d left" % (
                array.nbytes, array.dtype, list(array.shape), address, found[1]))
    return array


def raw(address: int, nbytes: int) -> ferry.DeviceArray:
    """The same as bytes."""
    return view(address, (nbytes,), numpy.uint8)


def host_bytes(buffer: Any, writes: bool) -> numpy.ndarray:
    """The bytes of anything contiguous on the host: arrays of either order, bytearray, array.array, ctypes arrays."""
    if isinstance(buffer, (numpy.ndarray, numpy.generic)):
        array = numpy.asarray(buffer)
        if array.flags.f_contiguous and not array.flags.c_contiguous:
            array = array.T
        if not array.flags.c_contiguous:
            raise ValueError("ndarray is not contiguous: numpy.ascontiguousarray() makes a copy that is")
        array = array.reshape(-1).view(numpy.uint8)
    else:
        array = numpy.frombuffer(buffer, numpy.uint8)
    if writes and not array.flags.writeable:
        raise TypeError("the %s to copy to may only be read" % type(buffer).__name__)
    return array


def host_view(address: int, nbytes: int) -> numpy.ndarray:
    """Host memory at an address, as bytes."""
    return numpy.ctypeslib.as_array((ctypes.c_uint8 * nbytes).from_address(address))


# --- Streams ---------------------------------------------------------------------------------------------------------


def create_stream() -> ferry.Stream:
    """A stream that can be found by its handle for as long as it lives."""
    stream = runtime().create_stream()
    _streams[stream.handle] = stream
    return stream


def _null_stream() -> ferry.Stream:
    made = _state.get("null")
    if made is None or made[1] != os.getpid():  # streams don't survive a fork
        made = _state["null"] = (runtime().create_stream(), os.getpid())
    return made[0]


def stream_of(handle: Any) -> ferry.Stream:
    """The stream behind a handle, ready to be queued on. 0 and None are the null stream.

    CUDA's legacy null stream waits for the work of all others, and they wait for its work: scripts that mix both rely
    on that."""
    number = 0 if handle is None else int(handle)
    null = _null_stream()
    if number == 0:
        for other in list(_streams.values()):
            if not other.closed and not other.query():
                null.wait_event(other.record())
        return null
    stream = _streams.get(number)
    if stream is None or stream.closed:
        raise ferry.InvalidArgumentError("stream handle 0x%x is not that of a stream made by pycuda.driver.Stream() or "
                                         "cudart.cudaStreamCreate(), or the stream is gone" % number)
    if not null.query():
        stream.wait_event(null.record())
    return stream


def synchronize() -> None:
    """Waits for all that is queued anywhere; raises the first failure."""
    for stream in list(_streams.values()) + [_null_stream()]:
        if not stream.closed:
            stream.wait()


# --- Copies ----------------------------------------------------------------------------------------------------------


def copy_to_device(address: int, source: Any, handle: Any = None) -> None:
    """Queues a copy of a host buffer to a device address."""
    data = host_bytes(source, writes=False)
    if data.nbytes:
        stream_of(handle).copy_to_device(raw(address, data.nbytes), data)


def copy_from_device(target: Any, address: int, handle: Any = None) -> None:
    """Queues a copy from a device address that fills a host buffer."""
    data = host_bytes(target, writes=True)
    if data.nbytes:
        stream_of(handle).copy_from_device(data, raw(address, data.nbytes))


def copy_on_device(to: int, source: int, nbytes: int, handle: Any = None) -> None:
    """Queues a copy between device addresses."""
    if nbytes:
        stream_of(handle).copy(raw(to, nbytes), raw(source, nbytes))


def fill(address: int, value: Any, count: int, dtype: Any, handle: Any = None) -> None:
    """Queues the filling of `count` elements with one value."""
    copy_to_device(address, numpy.full(count, value, dtype), handle)


def free_and_total() -> Tuple[int, int]:
    """Bytes of device memory that are free, and in all."""
    if not runtime().host_memory:
        memory = runtime().memory
        return memory["free"], memory["total"]
    total = next(d.memory_bytes for d in ferry.devices() if d.name.split(":")[0] == runtime().device.split(":")[0])
    with open("/proc/meminfo") as lines:
        known = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.split()[-1] == "kB"}
    return min(known.get("MemAvailable", known["MemFree"]), total), total


def reaches_pinned_memory() -> bool:
    """Whether the device sees pinned host memory, and where the host does: CUDA's addresses are unified."""
    return runtime().host_memory or runtime().device.split(":")[0] == "cuda"
