# SPDX-License-Identifier: Apache-2.0
"""Devices and contexts. ferry needs no context; a stack per thread keeps scripts honest that push and pop theirs."""
import threading
from typing import Any, Dict, List, Optional, Tuple

import ferry
from ferry.compat import _device
from ferry.compat._offered import Enum, Shim
from ferry.compat.pycuda._errors import LogicError, driver_call

_stacks = threading.local()


def _stack() -> List["Context"]:
    if not hasattr(_stacks, "contexts"):
        _stacks.contexts = []
    return _stacks.contexts


class ctx_flags(Enum):
    """How the host waits; ferry's threads always sleep while they wait."""

    SCHED_AUTO = 0
    SCHED_SPIN = 1
    SCHED_YIELD = 2
    SCHED_BLOCKING_SYNC = 4
    MAP_HOST = 8
    LMEM_RESIZE_TO_MAX = 16


class Context(Shim):
    """A context of the device: Device(0).make_context(). push() and pop() keep one stack for each thread."""

    def __init__(self, device: "Device") -> None:
        self._device = device
        self._detached = False

    def push(self) -> None:
        """Makes it the thread's current context."""
        if self._detached:
            raise LogicError("context push: the context was detached")
        _stack().append(self)

    @staticmethod
    def pop() -> None:
        """Takes the thread's current context away."""
        if not _stack():
            raise LogicError("context pop: this thread has no context; push() and pop() must pair up in each thread")
        _stack().pop()

    def detach(self) -> None:
        """Gives it up. What was made in it goes on living."""
        self._detached = True
        stack = _stack()
        if self in stack:
            stack.remove(self)

    @staticmethod
    def get_current() -> Optional["Context"]:
        """The thread's current context, or None."""
        return _stack()[-1] if _stack() else None

    @staticmethod
    def get_device() -> "Device":
        """The device of the current context."""
        current = Context.get_current()
        if current is None:
            raise LogicError("get_device: this thread has no context: import pycuda.autoinit, or push one")
        return current._device

    @staticmethod
    def synchronize() -> None:
        """Waits for all that is queued on the device."""
        with driver_call(waiting=True):
            _device.synchronize()


class Device(Shim):
    """The device that ferry runs on: a GPU where it has one, else the CPU."""

    def __init__(self, number: Any) -> None:
        index = int(number)
        if not 0 <= index < Device.count():
            raise LogicError("there is no device %d: this machine has %d" % (index, Device.count()))
        self._index = index

    @staticmethod
    def count() -> int:
        """How many there are."""
        return 1

    def _described(self) -> ferry.Device:
        kind = _device.runtime().device.split(":")[0]
        return next(d for d in ferry.devices() if d.name.split(":")[0] == kind)

    def name(self) -> str:
        """What it is."""
        return self._described().description

    def total_memory(self) -> int:
        """Its memory in bytes."""
        return self._described().memory_bytes

    def pci_bus_id(self) -> str:
        """Where it is on the bus: nowhere, for a CPU."""
        raise LogicError("device '%s' is not on a PCI bus" % self.name())

    def compute_capability(self) -> Tuple[int, int]:
        """A GPU's compute capability; a CPU has none."""
        raise LogicError("device '%s' has no compute capability: it is not an NVIDIA GPU that ferry runs on"
                         % self.name())

    def get_attributes(self) -> Dict[Any, int]:
        """CUDA's attributes: none of them describes a CPU."""
        return {}

    def make_context(self, flags: Any = 0) -> Context:
        """A context, pushed onto the thread's stack."""
        with driver_call():
            _device.runtime()
        context = Context(self)
        context.push()
        return context

    def retain_primary_context(self) -> Context:
        """The same context for all who ask, not pushed."""
        if not hasattr(Device, "_primary"):
            Device._primary = Context(self)
        return Device._primary

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Device) and other._index == self._index

    def __hash__(self) -> int:
        return self._index


def init(_flags: int = 0) -> None:
    """Opens the device."""
    with driver_call():
        _device.runtime()


def get_version() -> Tuple[int, int, int]:
    """Of the CUDA interface that is stood in for."""
    return (11, 4, 0)


def get_driver_version() -> int:
    """The same as one number."""
    return 11040
