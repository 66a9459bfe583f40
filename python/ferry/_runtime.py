# SPDX-License-Identifier: Apache-2.0
"""A Runtime is an opened device. Engines are loaded into it, memory and streams come from it."""
import ctypes
import json
import os
from typing import Any, Dict, List, Optional, Tuple

import numpy

from ferry import _structs
from ferry._callbacks import guarded
from ferry._engine import Engine
from ferry._errors import ClosedError, InvalidArgumentError
from ferry._handles import RuntimeHandle
from ferry._library import encode_optional, lib, take_bytes_text
from ferry._logger import CLogger, logger_of
from ferry._memory import DeviceArray, DeviceMemory, device_array_of, from_dlpack, pinned_empty
from ferry._stream import Event, Stream
from ferry._types import DataType, Device, Precision, elements_of, shape_of


def devices() -> List[Device]:
    """What this machine has, also what is not usable and why."""
    count = lib.devices(None, 0)
    found = (_structs.DeviceDescription * count)()
    lib.devices(found, count)
    return [_device(d) for d in found]


def diagnose() -> Dict[str, Any]:
    """What works on this machine and what is missing, as `ferry doctor --json` has it but for its trial runs."""
    text = ctypes.c_void_p()
    lib.diagnose(ctypes.byref(text))
    return json.loads(take_bytes_text(text))


def _device(struct: Any) -> Device:
    return Device(struct.name.decode(), struct.description.decode("utf-8", "replace"), struct.fingerprint.decode(),
                  struct.memory_bytes, struct.available)


class Runtime(RuntimeHandle):
    """An opened device with its memory and logger. Any number of threads may use it; so may a forked child.

    device: "cpu", "cuda", "cuda:1", "dla:0", "cpu:avx2", ...; None takes the best one present.
    fallback: what the device can't run, or all where it is absent, runs on the next one, which is logged.
    logger: a ferry.Logger, or a function of severity and text; None is Python's logging, logger "ferry"."""

    _survives_fork = True

    def __init__(self, device: Optional[str] = None, fallback: bool = False, logger: Any = None) -> None:
        self._logger = CLogger(logger_of(logger))
        out = ctypes.c_void_p()
        options = _structs.RuntimeOptions(device=encode_optional(device, "device"), fallback=bool(fallback),
                                          logger=ctypes.pointer(self._logger.struct))
        guarded([self._logger.guard], lib.runtime_create, ctypes.byref(options), ctypes.byref(out))
        self._adopt(out, lib.runtime_release, self._logger)
        self.host_memory: bool = lib.runtime_host_memory(self._use())  # numpy may look at device memory
        self.device = self.devices[0].name  # the one that serves; what it falls back to follows in `devices`
        self._copies: Optional[Stream] = None

    @property
    def devices(self) -> List[Device]:
        """The devices that were opened."""
        found, item = [], _structs.DeviceDescription()
        while True:
            try:
                lib.runtime_device(self._use(), len(found), ctypes.byref(item))
            except ClosedError:
                raise
            except InvalidArgumentError:  # beyond the last
                return found
            found.append(_device(item))

    @property
    def memory(self) -> Dict[str, int]:
        """Bytes of the device's memory that are free and in all, and of weights and kernels that prepared contexts
        hold of it. Empty where the device's memory is the host's."""
        info = _structs.MemoryInfo()
        if self.host_memory:
            return {}
        lib.runtime_memory(self._use(), ctypes.byref(info))
        return {"free": info.free_bytes, "total": info.total_bytes, "weights": info.weight_bytes,
                "kernels": info.kernel_bytes}

    @property
    def fast_precisions(self) -> Precision:
        """What the device computes faster in than in FP32."""
        return Precision(lib.runtime_fast_precisions(self._use()) & 7)

    # --- Engines -------------------------------------------------------------------------------------------------

    def load(self, path: Any, verify: bool = False, replan: bool = False) -> Engine:
        """Loads an engine file. verify: also check the weights' checksums. replan: ignore what was tuned before."""
        return Engine.load(path, runtime=self, verify=verify, replan=replan)

    def deserialize(self, data: Any, verify: bool = False, replan: bool = False) -> Engine:
        """Loads an engine from bytes, or anything with the buffer protocol."""
        return Engine.deserialize(data, runtime=self, verify=verify, replan=replan)

    def check(self, path: Any) -> Dict[str, Any]:
        """Whether an engine file would load here, as a dict with what was found: what `ferry check` prints."""
        return Engine.check(path, runtime=self)

    # --- Memory and streams --------------------------------------------------------------------------------------

    def alloc(self, nbytes: int) -> DeviceMemory:
        """A block of device memory."""
        return DeviceMemory(self, nbytes)

    def empty(self, shape: Any, dtype: Any = numpy.float32) -> DeviceArray:
        """A new array in device memory; its contents are undefined."""
        dims, data_type = shape_of(shape), DataType.of(dtype)
        nbytes = max(elements_of(dims) or 0, 0) * data_type.bytes
        return self.alloc(nbytes).array(dims, data_type)

    def to_device(self, array: Any, stream: Optional[Stream] = None) -> DeviceArray:
        """A copy of a host array (or what numpy makes one of) in device memory, waited for."""
        host = numpy.ascontiguousarray(array)
        if host.shape != numpy.shape(array):
            host = host.reshape(numpy.shape(array))  # ascontiguousarray makes vectors of scalars
        return self.empty(host.shape, host.dtype).copy_from(host, stream)

    def pinned_empty(self, shape: Any, dtype: Any = numpy.float32) -> numpy.ndarray:
        """A numpy array in host memory that the device copies from and to without staging."""
        return pinned_empty(self, shape, dtype)

    def from_dlpack(self, tensor: Any) -> DeviceArray:
        """A view of another library's tensor in this device's memory; it keeps the tensor alive."""
        return from_dlpack(tensor, self)

    def as_device_array(self, value: Any) -> Optional[DeviceArray]:
        """A view of anything that lies in this device's memory already; None for arrays that are only the host's."""
        return device_array_of(value, self)

    def create_stream(self, threads: int = 0) -> Stream:
        """A new stream. threads: how many an inference on the CPU may use; 0 is one for each core."""
        return Stream(self, threads)

    def create_event(self) -> Event:
        """A new event."""
        return Event(self)

    def stream(self) -> Stream:
        """The stream that this runtime keeps for copies without a stream of their own."""
        if self._copies is None or self._copies._box is None or self._copies._box.pid != os.getpid():
            self._copies = Stream(self, 1)
        return self._copies

    def close(self) -> None:
        """Lets go of the device. Engines, contexts and memory made from it go on working."""
        self._copies = None
        super().close()

    def __repr__(self) -> str:
        return "<ferry.Runtime on %s%s>" % (self.device, ", closed" if self.closed else "")


_defaults: Dict[Tuple[Optional[str], bool], Runtime] = {}


def default_runtime(device: Optional[str] = None, fallback: bool = False) -> Runtime:
    """The runtime that functions without one share: one for each device, logging through Python's logging. Where no
    device was asked for, the CPU helps the best one with what that has no kernel for."""
    key = (device, bool(fallback) or device is None)
    runtime = _defaults.get(key)
    if runtime is None or runtime.closed:
        runtime = _defaults[key] = Runtime(*key)
    return runtime
