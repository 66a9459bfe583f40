# SPDX-License-Identifier: Apache-2.0
"""Exceptions: one class for each status of the C library, all of them `ferry.Error`, with the C text as message.

Where Python has a class of the same meaning it is a base too, so that `except OSError` and `except ValueError` do what
a reader expects."""
from typing import Dict, Type


class Error(Exception):
    """Something that ferry could not do. The text names the file or layer, the numbers and the way out."""

    status = 0


class InvalidArgumentError(Error, ValueError):
    """An argument breaks the function's contract."""

    status = 1


class OutOfMemoryError(Error, MemoryError):
    """An allocation failed, or a cap on memory would be exceeded."""

    status = 2


class FileError(Error, OSError):
    """A file could not be opened, read, written or renamed."""

    status = 3


class BadModelError(Error, ValueError):
    """A model file is damaged or breaks its format's rules."""

    status = 4


class UnsupportedError(Error, NotImplementedError):
    """Well-formed, but ferry does not do it; the text says the way round."""

    status = 5


class BadEngineError(Error, ValueError):
    """An engine file is damaged, or of another format version."""

    status = 6


class UnavailableError(Error, RuntimeError):
    """A device or library is not present on this machine: an ordinary answer."""

    status = 7


class CancelledError(Error):
    """A progress callback asked to stop."""

    status = 8


class BadDataError(Error, ValueError):
    """A picture, .npy, cache, list or preset is damaged."""

    status = 9


class NotReadyError(Error):
    """An event or stream has not completed yet."""

    status = 10


class InternalError(Error, RuntimeError):
    """A mistake of ferry's own; please report it."""

    status = 11


class DeviceError(Error, RuntimeError):
    """A device failed while it worked; what it was asked for is lost."""

    status = 12


class ClosedError(InvalidArgumentError):
    """The object was closed, or belongs to the process that this one was forked from."""


class CopyWarning(UserWarning):
    """An input was copied before it could be used: it was not contiguous."""


_BY_STATUS: Dict[int, Type[Error]] = {
    kind.status: kind
    for kind in (InvalidArgumentError, OutOfMemoryError, FileError, BadModelError, UnsupportedError, BadEngineError,
                 UnavailableError, CancelledError, BadDataError, NotReadyError, InternalError,
                 DeviceError)
}


def error_of(status: int, text: bytes) -> Error:
    """The exception for a status that is not FERRY_OK."""
    message = text.decode("utf-8", "replace") or "ferry failed with status %d and gave no reason" % status
    error = _BY_STATUS.get(status, Error)(message)
    error.status = status
    return error
