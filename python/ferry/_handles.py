# SPDX-License-Identifier: Apache-2.0
"""What every object that stands for a C object has in common: when it is released, and who may use it.

The pointer lies in a Box. A method passes the Box itself to C, so a call in progress holds a reference to it; close()
only lets go. C's release therefore happens when the last call has returned and nobody holds the object any more,
whatever the order of dropping and whichever the thread. After os.fork(), the child must not touch what has threads or
locks of the parent: such a Box refuses, and is never released in the child."""
import ctypes
import os
import threading
from typing import Any, Callable, Dict, Optional, Set, Tuple

from ferry._errors import ClosedError, InvalidArgumentError

_getpid = os.getpid

if hasattr(os, "register_at_fork"):  # Python 3.7: no system call at each use
    _process = [os.getpid()]
    os.register_at_fork(after_in_child=lambda: _process.__setitem__(0, os.getpid()))

    def process_id() -> int:
        """Of this process."""
        return _process[0]
else:
    process_id = os.getpid


class Box:
    """Owns one reference to a C object, and what C borrows for as long as that object lives.

    C counts references among most objects by itself. Where it does not (memory needs its runtime), `parent` is the Box
    that must be released later, also when a garbage collection finalises both in the other order."""

    __slots__ = ("_as_parameter_", "pid", "keep", "_release", "_parent", "_dependents", "_over", "__weakref__")

    def __init__(self, pointer: int, release: Callable[[int], None], keep: Tuple[Any, ...] = (),
                 parent: Optional["Box"] = None) -> None:
        self._as_parameter_ = pointer
        self.pid = _getpid()
        self.keep = keep
        self._release = [release]
        self._parent = parent
        self._dependents: Set[int] = set()
        self._over = False
        if parent is not None:
            parent._dependents.add(id(self))

    def __del__(self) -> None:
        if _getpid and _getpid() == self.pid:
            self._over = True
            self._settle()

    def _settle(self) -> None:
        if not self._over or self._dependents:
            return
        try:
            release = self._release.pop()  # two threads may come here: one of them gets it
        except IndexError:
            return
        release(self._as_parameter_)
        if self._parent is not None:
            self._parent._dependents.discard(id(self))
            self._parent._settle()


class Handle:
    """An object of the C library: a context manager whose end, like close(), destroys nothing that is still used."""

    _box: Optional[Box] = None
    _survives_fork = False

    def _adopt(self, out: ctypes.c_void_p, release: Callable[[int], None], *keep: Any) -> None:
        self._box = Box(out.value, release, keep)

    def _use(self) -> Box:
        """The Box to give to C; an error that says why where there is none."""
        box = self._box
        if box is None:
            raise ClosedError("this %s is closed" % type(self).__name__)
        if not self._survives_fork and box.pid != process_id():
            raise ClosedError("this %s was made by process %d, and this one was forked from it: make another here "
                              "(an Engine may be shared, what runs it may not)" % (type(self).__name__, box.pid))
        return box

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return self._box is None

    def close(self) -> None:
        """Lets go of the C object. Calling it twice is fine; using the object afterwards is a ferry.ClosedError."""
        self._box = None

    def __enter__(self) -> Any:
        self._use()
        return self

    def __exit__(self, *_exception: Any) -> None:
        self.close()

    def __reduce__(self) -> Any:
        raise TypeError("a %s can't be pickled or copied: it stands for memory of this process"
                        % type(self).__name__)


class RuntimeHandle(Handle):
    """What a Runtime is to the modules that it imports itself."""

    device = ""
    host_memory = False


class EngineHandle(Handle):
    """What an Engine is to them."""


def box_of_runtime(runtime: Any) -> Box:
    """The Box of a Runtime; whatever else is given is a TypeError, for C would take its pointer for a runtime's."""
    if not isinstance(runtime, RuntimeHandle):
        raise TypeError("runtime must be a ferry.Runtime, not %s" % type(runtime).__name__)
    return runtime._use()


def box_of_engine(engine: Any) -> Box:
    """The same for an Engine."""
    if not isinstance(engine, EngineHandle):
        raise TypeError("engine must be a ferry.Engine, not %s" % type(engine).__name__)
    return engine._use()


class ThreadSet:
    """Numbers of threads, each with an owner: a number is used again as soon as its thread has ended, which may be
    before its owner leaves it out here."""

    def __init__(self) -> None:
        self._numbers: Dict[int, int] = {}

    def __contains__(self, number: int) -> bool:
        return number in list(self._numbers.values())

    def add(self, owner: int, number: int) -> None:
        self._numbers[owner] = number

    def discard(self, owner: int) -> None:
        self._numbers.pop(owner, None)


# Threads that belong to streams. What waits for a stream must not happen on one: it might wait for itself.
stream_threads = ThreadSet()


def off_stream_threads(release: Callable[[int], None]) -> Callable[[int], None]:
    """A release that waits for queued work, moved to another thread where it would happen on a stream's own: the last
    reference may be dropped by a callback, or by a garbage collection during one."""

    def release_elsewhere(pointer):
        if threading.get_ident() in stream_threads:
            threading.Thread(target=release, args=(pointer,), name="ferry release").start()
        else:
            release(pointer)

    return release_elsewhere


class Exclusive:
    """One thread at a time. Others wait, but a callback that comes back to what is calling it gets an error.

    Context.run() does the work of `with` by itself: `busy` tells whether somebody is inside, and the lock, which its
    own thread gets again, whether that is this thread."""

    __slots__ = ("acquire", "release", "busy", "_what")

    def __init__(self, what: str) -> None:
        lock = threading.RLock()
        self.acquire, self.release = lock.acquire, lock.release
        self.busy = False
        self._what = what

    def __enter__(self) -> None:
        self.wait()
        self.busy = True

    def __exit__(self, *_exception: Any) -> None:
        self.busy = False
        self.release()

    def wait(self) -> None:
        """Returns with the lock."""
        if not self.acquire(False):
            if threading.get_ident() in stream_threads:
                raise self._refusal()
            self.acquire()
        if self.busy:
            self.release()
            raise self._refusal()

    def _refusal(self) -> InvalidArgumentError:
        return InvalidArgumentError("a callback can't use the %s that is at work: it would wait for itself" % self._what)
