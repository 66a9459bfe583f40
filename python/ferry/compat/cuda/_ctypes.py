# SPDX-License-Identifier: Apache-2.0
"""libcudart for those who load it themselves: tools such as polygraphy call the CUDA runtime through ctypes.

While compat mode is on, loading "libcudart.so" gives an object with the functions of ferry.compat.cuda.cudart, called
as C calls them: results are written through pointers, and an error code is returned. All else is loaded as ever."""
import ctypes
import os
from typing import Any

_CDLL = ctypes.CDLL
# The functions that write results: how many of their arguments, at the front, are pointers to these.
_RESULTS = {"cudaMalloc": 1, "cudaMallocHost": 1, "cudaHostAlloc": 1, "cudaMemGetInfo": 2, "cudaStreamCreate": 1,
            "cudaStreamCreateWithFlags": 1, "cudaEventCreate": 1, "cudaEventCreateWithFlags": 1,
            "cudaEventElapsedTime": 1, "cudaGetDeviceCount": 1, "cudaGetDevice": 1, "cudaRuntimeGetVersion": 1,
            "cudaDriverGetVersion": 1}


def _plain(argument: Any) -> Any:
    """The number behind a ctypes object; NULL is 0."""
    value = getattr(argument, "value", argument)
    return 0 if value is None else value


def _target(pointer: Any) -> Any:
    """What byref() or pointer() points to."""
    return pointer._obj if hasattr(pointer, "_obj") else pointer.contents


class _Function:
    """One function, with the attributes that callers of C functions set."""

    restype = ctypes.c_int
    argtypes = None

    def __init__(self, name: str, function: Any) -> None:
        self.__name__, self._function, self._results = name, function, _RESULTS.get(name, 0)

    def __call__(self, *arguments: Any) -> Any:
        made = self._function(*[_plain(a) for a in arguments[self._results:]])
        if self.restype is ctypes.c_char_p:  # cudaGetErrorString and cudaGetErrorName return their text
            return made[1]
        for pointer, value in zip(arguments[:self._results], made[1:]):
            _target(pointer).value = value or 0
        return int(made[0])


class LibCudart:
    """The library."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        from ferry.compat.cuda import cudart
        function = getattr(cudart, name)  # its AttributeError names what is absent
        setattr(self, name, _Function(name, function))
        return getattr(self, name)

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)


class _Loader(_CDLL):
    """ctypes.CDLL, but for libcudart."""

    def __new__(cls, name: Any = None, *_arguments: Any, **_options: Any) -> Any:
        if isinstance(name, str) and os.path.basename(name).startswith("libcudart.so"):
            return LibCudart(name)
        return super().__new__(cls)


def install() -> None:
    """ctypes.CDLL("libcudart.so") is ferry's from now on."""
    ctypes.CDLL = _Loader


def uninstall() -> None:
    """It is whatever the machine has again."""
    ctypes.CDLL = _CDLL
