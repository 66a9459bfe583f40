# SPDX-License-Identifier: Apache-2.0
"""Exceptions out of callbacks: C can't carry them, so the first one waits here until the call into C has returned."""
import signal
from typing import Any, Dict, List, Optional, Tuple

from ferry._errors import Error


class Guard:
    """Runs Python code on behalf of C. What it raises is kept, and raised again by rethrow() with its traceback."""

    __slots__ = ("pending", "signals")

    def __init__(self) -> None:
        self.pending: List[BaseException] = []
        self.signals: Optional[Signals] = None

    def call(self, failed: Any, function: Any, *args: Any) -> Any:
        """function(*args), or `failed` when it raised, or when an earlier callback did."""
        if self.pending:
            return failed
        try:
            if self.signals is not None:
                self.signals.deliver()
            return function(*args)
        except BaseException as exception:  # KeyboardInterrupt too: it belongs to the caller of C
            self.pending.append(exception)
            return failed

    def take(self) -> Optional[BaseException]:
        """The kept exception, which is forgotten."""
        return self.pending.pop() if self.pending else None

    def rethrow(self) -> None:
        """Raises what a callback raised."""
        exception = self.take()
        if exception is not None:
            raise exception


class Signals:
    """Signals of the main thread during a long call into C, held back until a callback can let their handlers raise.

    Python runs a handler at the first instruction of the callback that comes next, which is before any `try` in it:
    what it raised there, a KeyboardInterrupt most often, would be printed by ctypes and lost."""

    _held = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGALRM", "SIGHUP", "SIGUSR1", "SIGUSR2")]

    def __init__(self, guards: Any) -> None:
        self._guards = guards
        self._before: Dict[int, Any] = {}
        self._arrived: List[Tuple[int, Any]] = []

    def _note(self, number: int, frame: Any) -> None:
        self._arrived.append((number, frame))

    def deliver(self) -> None:
        """Runs the handlers of what has arrived, which may raise."""
        while self._arrived:
            number, frame = self._arrived.pop(0)
            self._before[number](number, frame)

    def __enter__(self) -> "Signals":
        for guard in self._guards:
            guard.signals = self
        for number in self._held:
            handler = signal.getsignal(number)
            if callable(handler):
                try:
                    signal.signal(number, self._note)
                except ValueError:  # not in the main thread, where no handler runs anyway
                    break
                self._before[number] = handler
        return self

    def __exit__(self, *_exception: Any) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        for guard in self._guards:
            guard.signals = None
        self.deliver()


def guarded(guards: Any, function: Any, *args: Any) -> Any:
    """function(*args); what a callback raised meanwhile comes before the error that C made of it."""
    result, failure = None, None
    try:
        result = function(*args)
    except Error as error:
        failure = error
    for guard in guards:
        guard.rethrow()
    if failure is not None:
        raise failure
    return result
