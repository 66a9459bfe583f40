# SPDX-License-Identifier: Apache-2.0
"""What Context.run() needs at one choice of shapes, laid out so that the usual call touches little.

After an inference of some milliseconds nothing of the interpreter is left in the processor's caches, and each object,
type and function that a call touches costs up to a microsecond, however little it does. Hence: slots instead of
dictionaries, arguments of the C call that are made once, an input that is the same object as the last time keeps its
address, and outputs lie in memory that earlier ones have left."""
import ctypes
import sys
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy

from ferry import _structs
from ferry._arrays import address_in_place, array_for_input
from ferry._errors import error_of
from ferry._library import argument, lib
from ferry._types import Binding, Shape, binding_shape

_binding_shape = lib.raw.context_binding_shape


count_references = getattr(sys, "getrefcount", id)  # without counts no memory is known to be free: see FREE


class Fit:
    """What an array must be to be used in place, and the one that was used last: only that object is compared again,
    for its owner may have changed its shape or type."""

    __slots__ = ("last", "shape", "strides", "dtype", "_addresses", "_index")

    def __init__(self, shape: Shape, dtype: numpy.dtype, addresses: Any, index: int) -> None:
        self.last: Any = None
        self.shape = shape
        self.strides = _strides(shape, dtype.itemsize)
        self.dtype = dtype
        self._addresses = addresses
        self._index = index

    def take(self, array: Any) -> bool:
        """Makes it the last one, if it fits as it is: an array with this shape and these strides is contiguous."""
        if type(array) is not numpy.ndarray or array.shape != self.shape or array.strides != self.strides or \
                array.dtype != self.dtype or not array.flags.aligned:
            return False
        self.dtype = array.dtype  # an equal one, which run() compares by identity
        self.put(array)
        return True

    def put(self, array: numpy.ndarray) -> None:
        """Makes it the last one, unchecked. It cannot be given other memory while it is held here."""
        self._addresses[self._index] = address_in_place(array)
        self.last = array


class Room:
    """Memory for one set of outputs. What run() returns are views of it; when none is left, it serves again."""

    __slots__ = ("named", "at", "_addresses")

    def __init__(self, names: Sequence[str], makes: Sequence[Tuple[Shape, numpy.dtype]]) -> None:
        # Nobody else refers to these arrays: a view of a view refers to the same.
        self.named = tuple((name, numpy.empty(shape, dtype)) for name, (shape, dtype) in zip(names, makes))
        self._addresses = (ctypes.c_void_p * max(len(names), 1))(*[address_in_place(a) for _name, a in self.named])
        self.at = argument(ctypes.addressof(self._addresses))


def _count_when_free() -> Optional[int]:
    """How often a room's array counts as referred to, seen from a loop like that in run(), while it has no views.
    None where counts don't tell: threads without a GIL, interpreters that don't count."""
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return None
    room = Room(["free"], [((1,), numpy.dtype(numpy.uint8))])
    seen = []
    for _turn in range(2):
        for _name, array in room.named:
            seen.append(count_references(array))
            view = array.view()
    return seen[0] if seen[1] == seen[0] + 1 and view.base is array else None


FREE = _count_when_free()


class Given:
    """The caller's own arrays for the outputs."""

    __slots__ = ("at", "fits", "_names", "_addresses")

    def __init__(self, names: Sequence[str], makes: Sequence[Tuple[Shape, numpy.dtype]]) -> None:
        self._addresses = (ctypes.c_void_p * max(len(names), 1))()
        self.at = argument(ctypes.addressof(self._addresses))
        self.fits = tuple(Fit(shape, dtype, self._addresses, i) for i, (shape, dtype) in enumerate(makes))
        self._names = names

    def take(self, out: Any) -> Optional[Dict[str, numpy.ndarray]]:
        """The outputs by name if all of `out` can be written as it is, else None."""
        if type(out) is numpy.ndarray:
            out = (out,)
        elif type(out) is not list and type(out) is not tuple:
            return None
        if len(out) != len(self.fits):
            return None
        outputs, i = {}, 0
        for array in out:
            fit = self.fits[i]
            if array is not fit.last and not fit.take(array) or array.shape != fit.shape or \
                    array.strides != fit.strides or array.dtype is not fit.dtype or not array.flags.writeable:
                return None
            outputs[self._names[i]] = array
            i += 1
        return outputs

    def put(self, arrays: Sequence[numpy.ndarray]) -> Dict[str, numpy.ndarray]:
        """The same for arrays that were checked already."""
        for fit, array in zip(self.fits, arrays):
            fit.put(array)
        return dict(zip(self._names, arrays))


class Plan:
    """All of that for one context on one stream."""

    __slots__ = ("stream", "fits", "rooms", "context_at", "stream_at", "in_at", "error_at", "raised", "logger_raised",
                 "varying", "n_inputs", "given", "shapes", "makes", "_names", "_engine", "_boxes", "_ins", "_error", "_rank",
                 "_dims", "_size_at")

    def __init__(self, context: Any) -> None:
        box, stream = context._use(), context.stream
        engine = self._engine = context.engine
        stream_box = stream._box
        # A closed stream has none: then run() finds that this plan is for no stream, and says so.
        self.stream = None if stream_box is None else stream
        self._boxes = box, stream_box
        self.shapes = [binding_shape(box, b.index) for b in engine.bindings]
        n = self.n_inputs = len(engine.inputs)
        self._ins = (ctypes.c_void_p * max(n, 1))()
        self.fits = tuple(Fit(shape, b.dtype, self._ins, b.index) for shape, b in zip(self.shapes, engine.inputs))
        self.makes = [(shape, b.dtype) for shape, b in zip(self.shapes[n:], engine.outputs)]
        self._names = [b.name for b in engine.outputs]
        self.rooms: List[Room] = []
        self.given = Given(self._names, self.makes)
        self._error = _structs.Error()
        self.context_at = argument(box._as_parameter_)
        self.stream_at = argument(None if stream_box is None else stream_box._as_parameter_)
        self.in_at, self.error_at = argument(ctypes.addressof(self._ins)), argument(ctypes.addressof(self._error))
        self.raised, self.logger_raised = context._guard.pending, context._logger_guard.pending
        self.varying = [b for b in engine.outputs if _varies(box, b)]
        self._rank, self._dims = ctypes.c_int(), _structs.Dims()
        self._size_at = ctypes.byref(self._rank), ctypes.byref(self._dims)

    def have_shapes(self, given: Sequence[numpy.ndarray]) -> bool:
        """Whether the arrays have the shapes that the context is prepared for."""
        return all(array.shape == fit.shape for array, fit in zip(given, self.fits))

    def take_any(self, given: Sequence[numpy.ndarray]) -> None:
        """Takes inputs of the right shapes, which may have to be copied, or refused."""
        for fit, array, binding in zip(self.fits, given, self._engine.inputs):
            if not fit.take(array):
                fit.put(array_for_input(array, binding, self._engine.runtime))

    def add_room(self) -> Room:
        """A new room; of the others one is kept, for a loop still holds a run's outputs while it makes the next."""
        room = Room(self._names, self.makes)
        self.rooms = [room] + self.rooms[:1]
        return room

    def raise_error(self, status: int) -> None:
        """Raises what the call answered."""
        if status:
            raise error_of(status, self._error.text)

    def cut(self, outputs: Dict[str, numpy.ndarray]) -> None:
        """Cuts the outputs whose size the data decided to it."""
        for binding in self.varying:
            _binding_shape(self._boxes[0]._as_parameter_, binding.index, self._size_at[0], self._size_at[1], None)
            shape = tuple(self._dims[:self._rank.value])
            if shape != outputs[binding.name].shape:
                outputs[binding.name] = _cut(outputs[binding.name], shape)


def _varies(box: Any, binding: Binding) -> bool:
    varies = ctypes.c_bool()
    lib.context_binding_varies(box, binding.index, ctypes.byref(varies))
    return varies.value


def _strides(shape: Shape, itemsize: int) -> Shape:
    """Of a contiguous array, as numpy computes them."""
    strides, step = [], itemsize
    for d in reversed(shape):
        strides.insert(0, step)
        step *= max(d, 1)
    return tuple(strides)


def _cut(array: numpy.ndarray, shape: Shape) -> numpy.ndarray:
    count = 1
    for d in shape:
        count *= d
    return array.reshape(-1)[:count].reshape(shape)
