# SPDX-License-Identifier: Apache-2.0
"""Progress of long work: tqdm bars where it is installed, lines on a terminal otherwise, or a function of one's own."""
import ctypes
import sys
from typing import Any, Callable, NamedTuple, Optional, Union

from ferry import _structs
from ferry._callbacks import Guard
from ferry._library import decode

ProgressReport = NamedTuple("ProgressReport", [("phase", str), ("done", int), ("total", int), ("elapsed_s", float),
                                               ("remaining_s", Optional[float])])
ProgressReport.__doc__ = """Units finished of a phase ("import", "calibrate", "time tactics", ...). total is 0, and
remaining_s None, where that is not known."""


class Bars:
    """A tqdm bar a phase."""

    def __init__(self, tqdm: Any) -> None:
        self._tqdm = tqdm
        self._bar: Any = None
        self._phase: Optional[str] = None

    def __call__(self, report: ProgressReport) -> None:
        if report.phase != self._phase:
            self.close()
            self._phase = report.phase
            self._bar = self._tqdm(total=report.total or None, desc=report.phase, leave=True)
        if self._bar is not None:
            self._bar.update(report.done - self._bar.n)
            if report.total and report.done >= report.total:
                self._bar.close()
                self._bar = None  # the phase may report its end once more

    def close(self) -> None:
        """Ends the bar at hand."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class Lines:
    """A line for each phase that took half a second, and every ten seconds within one."""

    def __init__(self, file: Any = None) -> None:
        self._file = file
        self._next = 10.0
        self._ended: Optional[str] = None

    def __call__(self, report: ProgressReport) -> None:
        over = bool(report.total) and report.done >= report.total
        if over and report.elapsed_s >= 0.5 and self._ended != report.phase:
            self._print("ferry: %s: %d done in %.1f s" % (report.phase, report.total, report.elapsed_s))
        elif not over and report.elapsed_s > self._next:
            left = "" if report.remaining_s is None else ", %.0f s left" % report.remaining_s
            self._print("ferry: %s: %d of %s%s" % (report.phase, report.done, report.total or "?", left))
            self._next = report.elapsed_s + 10
        if report.done == 0:
            self._next = 10.0
        self._ended = report.phase if over else None

    def _print(self, text: str) -> None:
        print(text, file=self._file or sys.stderr, flush=True)

    def close(self) -> None:
        """Nothing is left open."""


class CProgress:
    """Progress as C sees it. There is always one during long calls, for it lets Ctrl-C through."""

    def __init__(self, progress: Union[None, bool, Callable[[ProgressReport], Any]]) -> None:
        self.guard = Guard()
        self.show = progress_of(progress)
        guard = self.guard

        def update(_user, address):
            # Running any Python code here is what lets a pending KeyboardInterrupt happen.
            return guard.call(1, self._pass_on, address)

        self.struct = _structs.Progress(_structs.ProgressFn(update), None)

    def _pass_on(self, address: int) -> int:
        if self.show is None:
            return 0
        c = ctypes.cast(address, ctypes.POINTER(_structs.ProgressReport)).contents
        report = ProgressReport(decode(c.phase) or "", c.done, c.total, c.elapsed_s,
                                None if c.remaining_s < 0 else c.remaining_s)
        return int(self.show(report) is False)

    def close(self) -> None:
        """Ends what is shown."""
        close = getattr(self.show, "close", None)
        if callable(close):
            close()


def progress_of(progress: Any) -> Optional[Callable[[ProgressReport], Any]]:
    """What shows progress: None is shown on a terminal only, True always, False never; or a function, which gets a
    ProgressReport and may return False to cancel."""
    if progress is None:
        progress = bool(getattr(sys.stderr, "isatty", bool)())
    if callable(progress):
        return progress
    if not isinstance(progress, bool):
        raise TypeError("progress must be True, False, None or a function, not %s" % type(progress).__name__)
    if not progress:
        return None
    try:
        from tqdm import tqdm
        return Bars(tqdm)
    except ImportError:
        return Lines()
