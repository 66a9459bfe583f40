# SPDX-License-Identifier: Apache-2.0
"""Logger and ILogger, in TensorRT's format on stdout, and the way of ferry's own messages there."""
import sys
import time
from typing import Any

import ferry
from ferry.compat import _device
from ferry.compat._offered import Enum, Shim


class Severity(Enum):
    """How bad a message is."""

    INTERNAL_ERROR = 0
    ERROR = 1
    WARNING = 2
    INFO = 3
    VERBOSE = 4


Severity.__qualname__ = "ILogger.Severity"
_LETTERS = "FEWIV"
_FROM_FERRY = {ferry.Severity.ERROR: Severity.ERROR, ferry.Severity.WARNING: Severity.WARNING,
               ferry.Severity.INFO: Severity.INFO, ferry.Severity.VERBOSE: Severity.VERBOSE}


class ILogger(Shim):
    """Receives messages: subclass it, call its __init__() and define log(severity, msg)."""

    Severity = Severity
    INTERNAL_ERROR = Severity.INTERNAL_ERROR
    ERROR = Severity.ERROR
    WARNING = Severity.WARNING
    INFO = Severity.INFO
    VERBOSE = Severity.VERBOSE

    def __init__(self) -> None:
        pass

    def log(self, severity: Severity, msg: str) -> None:
        """Gets each message."""
        raise NotImplementedError("a subclass of ILogger needs a log(severity, msg)")


class Logger(ILogger):
    """Prints messages of at least a severity on stdout."""

    def __init__(self, min_severity: Severity = Severity.WARNING) -> None:
        super().__init__()
        self._least = Severity(int(min_severity))

    @property
    def min_severity(self) -> Severity:
        """The least severe messages that are printed."""
        return self._least

    @min_severity.setter
    def min_severity(self, severity: Severity) -> None:
        self._least = Severity(int(severity))

    def log(self, severity: Severity, msg: str) -> None:
        """Prints a message where it is severe enough."""
        if severity <= self._least:
            print("[%s] [TRT] [%s] %s" % (time.strftime("%m/%d/%Y-%H:%M:%S"), _LETTERS[int(severity)], msg))
            sys.stdout.flush()


class Log:
    """A script's logger, with a method for each severity, and as ferry wants one."""

    def __init__(self, logger: Any) -> None:
        if not isinstance(logger, ILogger):
            raise TypeError("logger must be a tensorrt.ILogger, not %s" % type(logger).__name__)
        self.logger = logger
        _device.set_log(self.pass_on)

    def pass_on(self, severity: ferry.Severity, text: str) -> None:
        """A message of ferry's."""
        self.logger.log(_FROM_FERRY[ferry.Severity(severity)], text)

    @property
    def for_ferry(self) -> ferry.Logger:
        """The logger as ferry takes it."""
        return ferry.Logger(ferry.Severity.VERBOSE, self.pass_on)

    def error(self, text: Any) -> None:
        """What failed."""
        self.logger.log(Severity.ERROR, str(text))

    def warning(self, text: Any) -> None:
        """What is not as the script asked for."""
        self.logger.log(Severity.WARNING, str(text))

    def info(self, text: Any) -> None:
        """What has no effect, and needs none."""
        self.logger.log(Severity.INFO, str(text))
