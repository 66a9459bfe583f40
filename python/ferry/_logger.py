# SPDX-License-Identifier: Apache-2.0
"""Where messages go: Python's logging unless a Logger of one's own is given."""
import logging
from typing import Any, Callable, Optional, Union

from ferry import _structs
from ferry._callbacks import Guard
from ferry._types import Severity

_LEVELS = {Severity.ERROR: logging.ERROR, Severity.WARNING: logging.WARNING, Severity.INFO: logging.INFO,
           Severity.VERBOSE: logging.DEBUG}


class Logger:
    """Receives messages of at most the severity `most`. Subclass it and override log(), or give it a function.

    log() may be called from any thread. What it raises reaches the caller of the function during which it happened."""

    def __init__(self, most: Severity = Severity.WARNING,
                 function: Optional[Callable[[Severity, str], None]] = None) -> None:
        self.most = Severity(most)
        self._function = function

    def log(self, severity: Severity, text: str) -> None:
        """Gets each message, one line. By default it goes to logging.getLogger("ferry")."""
        if self._function is not None:
            self._function(severity, text)
        else:
            logging.getLogger("ferry").log(_LEVELS[severity], text)


class CLogger:
    """A Logger as C sees it. Keep it as long as C may log to it."""

    def __init__(self, logger: Logger) -> None:
        self.logger = logger
        self.guard = Guard()
        guard = self.guard

        def log(_user, severity, text):
            guard.call(None, logger.log, Severity(severity), text.decode("utf-8", "replace"))

        self.struct = _structs.Logger(_structs.LogFn(log), None, logger.most)


def logger_of(logger: Union[Logger, Callable[[Severity, str], None], None]) -> Logger:
    """A Logger from what callers give: one, a function, or None for Python's logging."""
    if logger is None:
        level = logging.getLogger("ferry").getEffectiveLevel()
        most = max([s for s, at in _LEVELS.items() if at >= level] or [Severity.ERROR])
        return Logger(most)
    if isinstance(logger, Logger):
        return logger
    if callable(getattr(logger, "log", None)):
        return Logger(getattr(logger, "most", Severity.WARNING), logger.log)
    if callable(logger):
        return Logger(Severity.WARNING, logger)
    raise TypeError("logger must be a ferry.Logger or a function of severity and text, not %s"
                    % type(logger).__name__)


def optional_logger(logger: Any) -> Optional[CLogger]:
    """The C side of a logger, or None where none was given."""
    return None if logger is None else CLogger(logger_of(logger))
