# SPDX-License-Identifier: Apache-2.0
"""Profiler and observer: Python functions that a context calls while it runs."""
import ctypes
from typing import Any, NamedTuple

import numpy

from ferry import _structs
from ferry._callbacks import Guard
from ferry._library import decode
from ferry._types import DataType

LayerTime = NamedTuple("LayerTime", [("name", str), ("tactic", str), ("device", str), ("ms", float)])
LayerTime.__doc__ = "One layer's time in one run: the model's node names, what ran it, where, and how long."


class Profiler:
    """Calls report(LayerTime)."""

    def __init__(self, report: Any, guard: Guard) -> None:
        if not callable(report):
            raise TypeError("report must be callable, not %s" % type(report).__name__)
        self.report = report

        def called(_user, address):
            guard.call(None, self._pass_on, address)

        self._function = _structs.ProfilerFn(called)
        self.pointer = ctypes.cast(self._function, ctypes.c_void_p)

    def _pass_on(self, address: int) -> None:
        layer = _structs.LayerTime.from_address(address)
        self.report(LayerTime(decode(layer.name), decode(layer.tactic), decode(layer.device), layer.ms))


class Observer:
    """Calls observe(name, array, scale, zero_point)."""

    def __init__(self, observe: Any, guard: Guard) -> None:
        if not callable(observe):
            raise TypeError("observe must be callable, not %s" % type(observe).__name__)
        self.observe = observe

        def called(_user, address, scale, zero):
            return guard.call(1, self._pass_on, address, scale, zero)

        self._function = _structs.ObserverFn(called)
        self.pointer = ctypes.cast(self._function, ctypes.c_void_p)

    def _pass_on(self, address: int, scale: float, zero: int) -> int:
        view = _structs.TensorView.from_address(address)
        return int(self.observe(decode(view.name) or "", array_of_view(view), scale, zero) is False)


def array_of_view(view: Any) -> numpy.ndarray:
    """A copy of a C tensor view."""
    dtype = DataType(view.dtype).numpy
    array = numpy.empty(tuple(view.dims[:view.rank]), dtype)
    if array.nbytes:
        ctypes.memmove(array.ctypes.data, view.data, array.nbytes)
    return array
