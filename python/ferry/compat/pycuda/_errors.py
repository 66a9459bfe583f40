# SPDX-License-Identifier: Apache-2.0
"""pycuda's exceptions, and how ferry's become them."""
import builtins
import contextlib
from typing import Any, Iterator

import ferry


class Error(Exception):
    """Base of what goes wrong in the driver."""


class LogicError(Error):
    """A call that does not fit what came before, or its own arguments."""


class RuntimeError(Error, builtins.RuntimeError):
    """What the driver could not do."""


class MemoryError(Error, builtins.MemoryError):
    """Device memory is used up."""


class LaunchError(Error):
    """Work that was queued has failed."""


def translated(error: ferry.Error, waiting: bool) -> Error:
    """The pycuda exception of a ferry one, with its text."""
    if isinstance(error, ferry.OutOfMemoryError):
        return MemoryError(str(error))
    if isinstance(error, ferry.InvalidArgumentError):
        return LogicError(str(error))
    return (LaunchError if waiting else RuntimeError)(str(error))


@contextlib.contextmanager
def driver_call(waiting: bool = False) -> Iterator[Any]:
    """Lets ferry's errors out as pycuda's."""
    try:
        yield
    except ferry.Error as error:
        raise translated(error, waiting) from error
