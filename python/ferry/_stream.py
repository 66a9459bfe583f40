# SPDX-License-Identifier: Apache-2.0
"""Streams are queues of inferences and copies that run in order, while the caller does something else; events are
points in them."""
import atexit
import collections
import ctypes
import itertools
import os
import threading
import weakref
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy

from ferry import _structs
from ferry._callbacks import Guard, guarded
from ferry._errors import Error, InvalidArgumentError, NotReadyError
from ferry._handles import Box, Handle, box_of_runtime, off_stream_threads, stream_threads
from ferry._library import I32, I64, integer, lib
from ferry._memory import DeviceArray, DeviceMemory

TO_DEVICE, FROM_DEVICE, ON_DEVICE = 0, 1, 2
# A stream holds 256 commands at most (ferry_context_enqueue says so): what was queued that long ago has been passed.
_MOST_QUEUED = 256

_calls: Dict[int, Tuple[Guard, Callable[[], Any]]] = {}
_call_numbers = itertools.count(1)
_streams: Any = weakref.WeakSet()


@_structs.StreamFn
def _run_call(number):
    guard, function = _calls.pop(number)
    guard.call(None, function)


def _noter(thread: List[int]) -> Callable[[], None]:
    """Queued first, and waited for: it notes which thread is the stream's."""

    def note():
        thread.append(threading.get_ident())
        stream_threads.add(id(thread), thread[0])

    return note


def _releaser(thread: List[int]) -> Callable[[int], None]:
    def release(pointer):
        lib.stream_release(pointer)
        stream_threads.discard(id(thread))

    return release


@atexit.register
def _wait_for_all():
    """A stream's thread that needs the interpreter after its end would wait for ever: let them finish before."""
    for stream in list(_streams):
        try:
            stream.wait()
        except Exception:  # nobody is left to hear of it
            pass


class Stream(Handle):
    """A queue of inferences and copies. Any number of threads may use it. `with` waits for it at the end."""

    def __init__(self, runtime: Any, threads: int = 0) -> None:
        out = ctypes.c_void_p()
        owner = box_of_runtime(runtime)
        options = _structs.StreamOptions(threads=integer(threads, "threads", 0, I32))
        self._guard = Guard()
        self._lasting_guards = (runtime._logger.guard, self._guard)
        self._passing_guards: List[Guard] = []
        guarded(self._lasting_guards, lib.stream_create, owner, ctypes.byref(options), ctypes.byref(out))
        self._thread: List[int] = []
        self._adopt(out, off_stream_threads(_releaser(self._thread)), owner)
        self._borrowed = collections.deque(maxlen=_MOST_QUEUED + 1)
        self._lock = threading.Lock()
        self._contexts: Any = weakref.WeakSet()  # those whose runs don't ask each time whether this is closed
        self.call(_noter(self._thread))
        self.wait()
        _streams.add(self)

    @property
    def handle(self) -> int:
        """Its address in the C library, which serves as an identity."""
        return self._use()._as_parameter_

    def _outside(self) -> Box:
        """The Box to queue with. A callback on the stream's own thread would wait for itself."""
        if threading.get_ident() in self._thread:
            raise InvalidArgumentError("a callback on a stream's thread can't use that stream: it would wait for "
                                       "itself")
        return self._use()

    def _borrow(self, *things: Any) -> None:
        """Keeps things alive until the command that was queued with them has been passed."""
        self._borrowed.append(things)

    def wait(self) -> None:
        """Waits until all that was queued has finished; raises the first failure since the last wait."""
        box = self._outside()
        with self._lock:
            guards, self._passing_guards = self._passing_guards, []
            queued = len(self._borrowed)
        guarded(list(self._lasting_guards) + guards, lib.stream_wait, box)
        with self._lock:
            # What another thread has queued meanwhile is not done yet.
            if len(self._borrowed) == queued:
                self._borrowed.clear()

    synchronize = wait

    def query(self) -> bool:
        """Whether nothing is left to do."""
        try:
            lib.stream_query(self._use())
            return True
        except NotReadyError:
            return False

    def copy(self, to: Any, source: Any, nbytes: Optional[int] = None, kind: int = ON_DEVICE) -> None:
        """Queues a copy of nbytes (default: all of the smaller side that knows its size).

        kind: ferry.Stream.TO_DEVICE, FROM_DEVICE or ON_DEVICE. A side is an address, DeviceMemory, a DeviceArray or a
        contiguous numpy array; all but bare addresses are kept alive until the copy is done."""
        to_address, to_bytes = _memory_of(to, writes=True)
        from_address, from_bytes = _memory_of(source, writes=False)
        known = [n for n in (to_bytes, from_bytes) if n is not None]
        if nbytes is None:
            if not known:
                raise InvalidArgumentError("neither side of the copy knows its size: say nbytes")
            nbytes = min(known)
        nbytes = integer(nbytes, "nbytes", 0, I64)
        if any(nbytes > n for n in known):
            raise InvalidArgumentError("a copy of %d bytes, but one side has %d" % (nbytes, min(known)))
        box = self._outside()
        with self._lock:
            lib.stream_copy(box, integer(kind, "kind", 0, 2), to_address, from_address, nbytes)
            self._borrow(to, source)

    TO_DEVICE, FROM_DEVICE, ON_DEVICE = TO_DEVICE, FROM_DEVICE, ON_DEVICE

    def copy_to_device(self, to: Any, source: Any, nbytes: Optional[int] = None) -> None:
        """Queues a copy from the host to the device."""
        self.copy(to, source, nbytes, TO_DEVICE)

    def copy_from_device(self, to: Any, source: Any, nbytes: Optional[int] = None) -> None:
        """Queues a copy from the device to the host."""
        self.copy(to, source, nbytes, FROM_DEVICE)

    def call(self, function: Callable[[], Any]) -> None:
        """Queues a call on the stream's own thread, after all that was queued before. What it raises reaches the next
        wait(). It must not wait for this stream."""
        if not callable(function):
            raise TypeError("function must be callable, not %s" % type(function).__name__)
        number = next(_call_numbers)
        box = self._outside()
        with self._lock:
            _calls[number] = (self._guard, function)
            try:
                lib.stream_call(box, ctypes.cast(_run_call, ctypes.c_void_p), number)
            except Error:
                del _calls[number]
                raise
            self._borrow()

    def wait_event(self, event: "Event") -> None:
        """Later work waits for the event."""
        box = self._outside()
        with self._lock:
            lib.stream_wait_event(box, _event(event)._use())
            self._borrow(event)

    def record(self, event: Optional["Event"] = None) -> "Event":
        """Marks this point of the queue with an event, by default a new one, which is returned."""
        event = Event.__new__(Event)._make(self._use().keep[0]) if event is None else _event(event)
        event.record(self)
        return event

    def close(self) -> None:
        """Waits for what is queued and lets go."""
        if self._box is not None and self._box.pid == os.getpid():
            self.wait()
        super().close()
        for context in list(self._contexts):
            context._plan = None

    def __repr__(self) -> str:
        return "<ferry.Stream%s>" % (", closed" if self.closed else "")


def _memory_of(side: Any, writes: bool) -> Tuple[int, Optional[int]]:
    if isinstance(side, (DeviceArray, DeviceMemory)):
        if writes and getattr(side, "read_only", False):
            raise InvalidArgumentError("%r may only be read" % (side,))
        return side.address, side.nbytes
    if isinstance(side, numpy.ndarray):
        if not side.flags.c_contiguous:
            raise InvalidArgumentError("a copy needs a contiguous array: numpy.ascontiguousarray() makes one")
        if writes and not side.flags.writeable:
            raise InvalidArgumentError("the array to copy to may only be read")
        return side.ctypes.data, side.nbytes
    if isinstance(side, (str, bytes)) or not hasattr(side, "__index__"):
        raise TypeError("a side of a copy is an address, DeviceMemory, a DeviceArray or a numpy array, not %s"
                        % type(side).__name__)
    return integer(side, "an address", 0, (1 << 64) - 1), None


class Event(Handle):
    """A point in a stream. One that was never recorded counts as reached."""

    def __init__(self, runtime: Any) -> None:
        self._make(box_of_runtime(runtime))

    def _make(self, owner: Box) -> "Event":
        out = ctypes.c_void_p()
        lib.event_create(owner, ctypes.byref(out))
        self._adopt(out, lib.event_release, owner)
        return self

    def record(self, stream: Stream) -> None:
        """The event is reached when the stream gets here; recording again starts it anew."""
        if not isinstance(stream, Stream):
            raise TypeError("stream must be a ferry.Stream, not %s" % type(stream).__name__)
        box = stream._outside()
        with stream._lock:
            lib.event_record(self._use(), box)
            stream._borrow(self)

    def wait(self) -> None:
        """Waits until it is reached."""
        lib.event_wait(self._use())

    synchronize = wait

    def query(self) -> bool:
        """Whether it is reached."""
        try:
            lib.event_query(self._use())
            return True
        except NotReadyError:
            return False

    def elapsed_ms(self, end: "Event") -> float:
        """Milliseconds from this event to `end`, both reached."""
        out = ctypes.c_double()
        lib.event_elapsed(self._use(), _event(end)._use(), ctypes.byref(out))
        return out.value

    def __repr__(self) -> str:
        return "<ferry.Event%s>" % (", closed" if self.closed else "")


def _event(event: Any) -> Event:
    if not isinstance(event, Event):
        raise TypeError("event must be a ferry.Event, not %s" % type(event).__name__)
    return event
