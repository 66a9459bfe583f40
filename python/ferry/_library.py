# SPDX-License-Identifier: Apache-2.0
"""Finds libferry, loads it and gives each of its functions its types.

`lib.NAME(...)` calls ferry_NAME. Functions that can fail raise the exception of their status; `lib.raw.NAME` is the
bare C function of the same name, for the few places where a microsecond counts. The GIL is released in every call."""
import ctypes
import os
from typing import Any, Optional, Union

from ferry import _structs
from ferry._errors import InvalidArgumentError, error_of
from ferry._functions import FUNCTIONS, S

ABI = "0"  # the number in libferry.so.N: the interface that _structs and _functions describe


def _candidates():
    """Where libferry may lie: FERRY_LIBRARY, then the only one; in this package; wherever the system has it."""
    named = os.environ.get("FERRY_LIBRARY")
    if named:
        return [named]
    here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib", "libferry.so." + ABI)
    return [here, "libferry.so." + ABI] if os.path.exists(here) else ["libferry.so." + ABI]


def _open() -> ctypes.CDLL:
    reasons = []
    for path in _candidates():
        try:
            return ctypes.CDLL(path)
        except OSError as reason:
            reasons.append(str(reason))
    raise ImportError("libferry could not be loaded: %s. Install the wheel that holds it (pip install .), install "
                      "libferry on the system, or name the file in FERRY_LIBRARY." % "; ".join(reasons))


def _checked(function: Any) -> Any:
    """The function without its last parameter: it raises instead of filling in an error text."""

    def call(*args):
        error = _structs.Error()
        status = function(*args, ctypes.byref(error))
        if status:
            raise error_of(status, error.text)

    call.__name__ = function.__name__
    return call


class _Namespace:
    """Functions by name."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError("libferry has no function ferry_%s that this package knows" % name)


class Library(_Namespace):
    """libferry with typed functions. A function that an older libferry lacks says so when it is called."""

    def __init__(self, cdll: ctypes.CDLL) -> None:
        self.path = cdll._name
        self._cdll = cdll
        self.raw = _Namespace()
        for symbol, (returns, takes) in FUNCTIONS.items():
            name = symbol[len("ferry_"):]
            try:
                function = getattr(cdll, symbol)
            except AttributeError:
                setattr(self, name, _missing(symbol, self.path))
                continue
            function.argtypes = takes + [ctypes.POINTER(_structs.Error)] if returns is S else takes
            function.restype = ctypes.c_int if returns is S else returns
            setattr(self.raw, name, function)
            setattr(self, name, _checked(function) if returns is S else function)

    def untyped(self, name: str) -> Any:
        """The bare C function once more, returning an int and without types for what it takes: for arguments that
        argument() has made, which are passed on as they are."""
        return self._cdll["ferry_" + name]


argument = ctypes.c_void_p.from_param  # an address, or None, as an argument made once for many calls


def _missing(symbol: str, path: str) -> Any:
    def call(*_args):
        raise NotImplementedError("%s has no %s: it is older than this Python package" % (path, symbol))

    return call


lib: Any = Library(_open())


def encode(text: Union[str, bytes], what: str = "text") -> bytes:
    """A Python string as a C one; a NUL inside would end it early and is refused."""
    if isinstance(text, str):
        text = text.encode("utf-8", "surrogateescape")
    if not isinstance(text, bytes):
        raise TypeError("%s must be str, not %s" % (what, type(text).__name__))
    if b"\0" in text:
        raise InvalidArgumentError("%s holds a NUL character: %r" % (what, text))
    return text


def encode_path(path: Any, what: str = "path") -> bytes:
    """A path (str, bytes or os.PathLike) as C wants it."""
    try:
        return encode(os.fsencode(path), what)
    except TypeError:
        raise TypeError("%s must be str, bytes or os.PathLike, not %s" % (what, type(path).__name__)) from None


def encode_optional(text: Optional[Union[str, bytes]], what: str = "text") -> Optional[bytes]:
    """None stays None: C's NULL."""
    return None if text is None else encode(text, what)


def decode(text: Optional[bytes]) -> Optional[str]:
    """A C string as a Python one; NULL is None."""
    return None if text is None else text.decode("utf-8", "replace")


def take_bytes_text(pointer: ctypes.c_void_p) -> str:
    """The text behind `pointer`, which is freed with ferry_bytes_free(text, length + 1)."""
    data = ctypes.string_at(pointer)
    lib.bytes_free(pointer, len(data) + 1)
    return data.decode("utf-8", "replace")


def take_text(pointer: ctypes.c_void_p) -> str:
    """The text behind `pointer`, which is freed with ferry_text_free."""
    data = ctypes.string_at(pointer)
    lib.text_free(None, pointer)
    return data.decode("utf-8", "replace")


def integer(value: Any, what: str, least: int, most: int) -> int:
    """An int within bounds: ctypes would wrap a larger one round without a word."""
    try:
        number = value.__index__()
    except AttributeError:
        raise TypeError("%s must be an int, not %s" % (what, type(value).__name__)) from None
    if not least <= number <= most:
        raise InvalidArgumentError("%s is %d: between %d and %d is possible" % (what, number, least, most))
    return number


I32 = (1 << 31) - 1
I64 = (1 << 63) - 1
U32 = (1 << 32) - 1
U64 = (1 << 64) - 1
