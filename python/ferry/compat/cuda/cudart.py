# SPDX-License-Identifier: Apache-2.0
"""cuda.cudart: the CUDA runtime's functions, which return tuples that begin with an error code and never raise for
what the device says. What cudaGetErrorString() tells of the last failure is ferry's reason."""
import functools
from typing import Any, Callable, Dict, Optional, Tuple

import numpy

import ferry
from ferry.compat import _device
from ferry.compat._offered import Enum, answer_for


class cudaError_t(Enum):
    """Error codes."""

    cudaSuccess = 0
    cudaErrorInvalidValue = 1
    cudaErrorMemoryAllocation = 2
    cudaErrorInvalidDevice = 101
    cudaErrorInvalidResourceHandle = 400
    cudaErrorNotReady = 600
    cudaErrorLaunchFailure = 719
    cudaErrorNotSupported = 801
    cudaErrorUnknown = 999


class cudaMemcpyKind(Enum):
    """From where to where a copy goes."""

    cudaMemcpyHostToHost = 0
    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2
    cudaMemcpyDeviceToDevice = 3
    cudaMemcpyDefault = 4


cudaStreamDefault, cudaStreamNonBlocking = 0, 1
cudaEventDefault, cudaEventBlockingSync, cudaEventDisableTiming = 0, 1, 2
cudaHostAllocDefault, cudaHostAllocPortable, cudaHostAllocMapped, cudaHostAllocWriteCombined = 0, 1, 2, 4

_owned: Dict[int, Any] = {}
_reasons: Dict[cudaError_t, str] = {}


class _Handle(int):
    """An address that stands for a stream or event: what cuda-python has classes for."""

    def getPtr(self) -> int:
        """The number itself."""
        return int(self)


cudaStream_t = cudaEvent_t = _Handle


def _code(error: ferry.Error) -> cudaError_t:
    for kind, code in ((ferry.OutOfMemoryError, cudaError_t.cudaErrorMemoryAllocation),
                       (ferry.NotReadyError, cudaError_t.cudaErrorNotReady),
                       (ferry.InvalidArgumentError, cudaError_t.cudaErrorInvalidValue),
                       (ferry.UnavailableError, cudaError_t.cudaErrorNotSupported)):
        if isinstance(error, kind):
            return code
    return cudaError_t.cudaErrorLaunchFailure


def _call(outputs: int = 0) -> Callable[[Any], Any]:
    """Decorates a function: its result, or results, behind cudaSuccess; or an error code and as many Nones."""

    def decorate(function):
        @functools.wraps(function)
        def call(*args, **kwargs):
            try:
                made = function(*args, **kwargs)
            except ferry.Error as error:
                _reasons[_code(error)] = str(error)
                return (_code(error),) + (None,) * outputs
            return (cudaError_t.cudaSuccess,) + (() if outputs == 0 else made if outputs > 1 else (made,))

        return call

    return decorate


def _address(value: Any) -> int:
    """An address: an int, an object that is one, or the data of a host array."""
    if isinstance(value, numpy.ndarray):
        return value.ctypes.data
    return int(value.getPtr() if hasattr(value, "getPtr") else value)


def _release(address: Any, what: str) -> None:
    number = _address(address)
    if number and _owned.pop(number, None) is None:
        raise ferry.InvalidArgumentError("0x%x is no %s that was made here, or it is gone already" % (number, what))


# --- Memory ----------------------------------------------------------------------------------------------------------


@_call(1)
def cudaMalloc(size: int) -> int:
    """Allocates device memory: (error, address)."""
    memory = _device.allocate(int(size))
    _owned[memory.address] = memory
    return memory.address


@_call()
def cudaFree(devPtr: Any) -> None:
    """Gives it back, once what is queued has been done with it."""
    _release(devPtr, "device memory")


@_call(1)
def cudaMallocHost(size: int) -> int:
    """Allocates page-locked host memory: (error, address)."""
    array = _device.runtime().pinned_empty((int(size),), numpy.uint8)
    _owned[array.ctypes.data] = array
    return array.ctypes.data


def cudaHostAlloc(size: int, flags: int = 0) -> Tuple[cudaError_t, Optional[int]]:
    """The same."""
    return cudaMallocHost(size)


@_call()
def cudaFreeHost(ptr: Any) -> None:
    """Gives it back, after all that is queued."""
    _device.synchronize()
    _release(ptr, "host memory")


def _copy(dst: Any, src: Any, count: int, kind: Any, stream: Any) -> None:
    kind = cudaMemcpyKind(int(kind))
    to, source, count = _address(dst), _address(src), int(count)
    if kind == cudaMemcpyKind.cudaMemcpyDefault:
        kind = cudaMemcpyKind((2 if _device.find(source) else 0) + (1 if _device.find(to) else 0))
    if kind == cudaMemcpyKind.cudaMemcpyHostToDevice:
        _device.copy_to_device(to, _host(src, source, count), stream)
    elif kind == cudaMemcpyKind.cudaMemcpyDeviceToHost:
        _device.copy_from_device(_host(dst, to, count), source, stream)
    elif kind == cudaMemcpyKind.cudaMemcpyDeviceToDevice:
        _device.copy_on_device(to, source, count, stream)
    else:
        _device.stream_of(stream).wait()
        _host(dst, to, count)[:] = _host(src, source, count)


def _host(value: Any, address: int, count: int) -> numpy.ndarray:
    """Host memory of a copy. Arrays and memory of cudaMallocHost are held to their size, and kept alive."""
    array = value if isinstance(value, numpy.ndarray) else _owned.get(address)
    if not isinstance(array, numpy.ndarray):
        return _device.host_view(address, count)
    data = _device.host_bytes(array, writes=False)
    if data.nbytes < count:
        raise ferry.InvalidArgumentError("a copy of %d bytes, and the host array has %d" % (count, data.nbytes))
    return data[:count]


@_call()
def cudaMemcpy(dst: Any, src: Any, count: int, kind: cudaMemcpyKind) -> None:
    """Copies, after all that is queued, and waits."""
    _copy(dst, src, count, kind, 0)
    _device.synchronize()


@_call()
def cudaMemcpyAsync(dst: Any, src: Any, count: int, kind: cudaMemcpyKind, stream: Any = 0) -> None:
    """Queues a copy."""
    _copy(dst, src, count, kind, stream)


@_call()
def cudaMemset(devPtr: Any, value: int, count: int) -> None:
    """Fills device memory, and waits."""
    _device.fill(_address(devPtr), value, int(count), numpy.uint8)
    _device.synchronize()


@_call()
def cudaMemsetAsync(devPtr: Any, value: int, count: int, stream: Any = 0) -> None:
    """Queues the filling of device memory."""
    _device.fill(_address(devPtr), value, int(count), numpy.uint8, stream)


@_call(2)
def cudaMemGetInfo() -> Tuple[int, int]:
    """(error, free bytes, bytes in all)."""
    return _device.free_and_total()


# --- Streams and events ----------------------------------------------------------------------------------------------


@_call(1)
def cudaStreamCreate() -> _Handle:
    """(error, stream)."""
    stream = _device.create_stream()
    _owned[stream.handle] = stream
    return _Handle(stream.handle)


def cudaStreamCreateWithFlags(flags: int) -> Tuple[cudaError_t, Optional[_Handle]]:
    """The same; the null stream waits for it, whatever the flags."""
    return cudaStreamCreate()


@_call()
def cudaStreamSynchronize(stream: Any) -> None:
    """Waits for what is queued."""
    _device.stream_of(_address(stream)).wait()


@_call()
def cudaStreamQuery(stream: Any) -> None:
    """cudaErrorNotReady while something is left to do."""
    if not _device.stream_of(_address(stream)).query():
        raise ferry.NotReadyError("the stream has work left")


@_call()
def cudaStreamDestroy(stream: Any) -> None:
    """Waits for what is queued and gives it up."""
    _device.stream_of(_address(stream)).wait()
    _release(stream, "stream")


@_call()
def cudaStreamWaitEvent(stream: Any, event: Any, flags: int = 0) -> None:
    """Later work waits for the event."""
    _device.stream_of(_address(stream)).wait_event(_event(event))


@_call(1)
def cudaEventCreate() -> _Handle:
    """(error, event)."""
    event = _device.runtime().create_event()
    number = event._use()._as_parameter_
    _owned[number] = event
    return _Handle(number)


def cudaEventCreateWithFlags(flags: int) -> Tuple[cudaError_t, Optional[_Handle]]:
    """The same; events always have a time."""
    return cudaEventCreate()


def _event(event: Any) -> ferry.Event:
    found = _owned.get(_address(event))
    if not isinstance(found, ferry.Event):
        raise ferry.InvalidArgumentError("0x%x is no event that was made here, or it is gone" % _address(event))
    return found


@_call()
def cudaEventRecord(event: Any, stream: Any = 0) -> None:
    """The event is reached when the stream gets here."""
    _event(event).record(_device.stream_of(_address(stream)))


@_call()
def cudaEventSynchronize(event: Any) -> None:
    """Waits until it is reached."""
    _event(event).wait()


@_call()
def cudaEventQuery(event: Any) -> None:
    """cudaErrorNotReady until it is reached."""
    if not _event(event).query():
        raise ferry.NotReadyError("the event is not reached yet")


@_call(1)
def cudaEventElapsedTime(start: Any, end: Any) -> float:
    """(error, milliseconds)."""
    return _event(start).elapsed_ms(_event(end))


@_call()
def cudaEventDestroy(event: Any) -> None:
    """Gives it up."""
    _release(event, "event")


# --- Device ----------------------------------------------------------------------------------------------------------


@_call()
def cudaDeviceSynchronize() -> None:
    """Waits for all that is queued."""
    _device.synchronize()


@_call(1)
def cudaGetDeviceCount() -> int:
    """(error, 1): the device that ferry runs on."""
    return 1


@_call(1)
def cudaGetDevice() -> int:
    """(error, 0)."""
    return 0


def cudaSetDevice(device: int) -> Tuple[cudaError_t]:
    """There is only device 0."""
    return (cudaError_t.cudaSuccess if int(device) == 0 else cudaError_t.cudaErrorInvalidDevice,)


@_call(1)
def cudaRuntimeGetVersion() -> int:
    """(error, version of the interface that is stood in for)."""
    return 12020


cudaDriverGetVersion = cudaRuntimeGetVersion


def cudaGetErrorName(error: cudaError_t) -> Tuple[cudaError_t, bytes]:
    """(error, the code's name)."""
    return cudaError_t.cudaSuccess, cudaError_t(int(error)).name.encode()


def cudaGetErrorString(error: cudaError_t) -> Tuple[cudaError_t, bytes]:
    """(error, the reason of the last failure with that code)."""
    code = cudaError_t(int(error))
    return cudaError_t.cudaSuccess, _reasons.get(code, code.name).encode()


answer_for(__name__)
