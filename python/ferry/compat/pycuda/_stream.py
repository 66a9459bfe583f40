# SPDX-License-Identifier: Apache-2.0
"""Streams and events of pycuda."""
from typing import Any, Optional

import ferry
from ferry.compat import _device
from ferry.compat._offered import Enum, Shim
from ferry.compat.pycuda._errors import LogicError, driver_call


class event_flags(Enum):
    """Of Event(); ferry's events always have a time."""

    DEFAULT = 0
    BLOCKING_SYNC = 1
    DISABLE_TIMING = 2
    INTERPROCESS = 4


class Stream(Shim):
    """A queue of copies and inferences. `handle` is what execute_async_v2(stream_handle=...) takes."""

    def __init__(self, flags: Any = 0) -> None:
        with driver_call():
            self._stream = _device.create_stream()

    @property
    def handle(self) -> int:
        """What names it elsewhere."""
        return self._stream.handle

    def __int__(self) -> int:
        return self.handle

    def synchronize(self) -> None:
        """Waits until all that was queued has finished."""
        with driver_call(waiting=True):
            _device.stream_of(self.handle).wait()

    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        with driver_call():
            return self._stream.query()

    def wait_for_event(self, event: "Event") -> None:
        """Later work waits for the event."""
        with driver_call():
            self._stream.wait_event(event._event)


class Event(Shim):
    """A point in a stream."""

    def __init__(self, flags: Any = 0) -> None:
        with driver_call():
            self._event = _device.runtime().create_event()
        self._recorded = False

    def record(self, stream: Optional[Stream] = None) -> "Event":
        """The event is reached when the stream gets here."""
        with driver_call():
            self._event.record(_device.stream_of(None if stream is None else stream.handle))
        self._recorded = True
        return self

    def synchronize(self) -> "Event":
        """Waits until it is reached."""
        with driver_call(waiting=True):
            self._event.wait()
        return self

    def query(self) -> bool:
        """Whether it is reached."""
        with driver_call():
            return self._event.query()

    def time_since(self, event: "Event") -> float:
        """Milliseconds from another event to this one."""
        return event.time_till(self)

    def time_till(self, event: "Event") -> float:
        """Milliseconds from this event to another one."""
        if not (self._recorded and event._recorded):
            raise LogicError("an event that was never recorded has no time")
        try:
            return self._event.elapsed_ms(event._event)
        except ferry.NotReadyError as error:
            raise LogicError("event not ready: synchronize() it first (%s)" % error) from error
