# SPDX-License-Identifier: Apache-2.0
"""How arrays become the addresses that one inference reads and writes: checked, in place, with little work a call."""
import ctypes
import warnings
from typing import Any, List, Sequence, Tuple

import numpy

from ferry import _structs
from ferry._errors import CopyWarning, InvalidArgumentError, error_of
from ferry._library import integer, lib
from ferry._memory import DeviceArray, DeviceMemory, device_array_of
from ferry._types import Binding, Shape, binding_shape

_ndarray = numpy.ndarray
_empty = numpy.empty
_binding_shape = lib.raw.context_binding_shape


def address_in_place(array: numpy.ndarray) -> int:
    """Where an array's first element lies."""
    return array.__array_interface__["data"][0]


class Plan:
    """What stays the same from run to run at one choice of shapes: shapes, types, and the memory of the C call's own
    arguments. An input that is the same array object as the last time has the same address.

    After an inference of some milliseconds nothing of Python is left in the processor's caches, and each object that
    is touched costs some hundred nanoseconds: take() and give() touch few."""

    def __init__(self, engine: Any, box: Any) -> None:
        self.engine = engine
        self.shapes = [binding_shape(box, b.index) for b in engine.bindings]
        self.inputs = engine.inputs
        n = len(self.inputs)
        # An array with these has the shape and type, and is contiguous.
        self.wants = [(shape, b.dtype, _strides(shape, b.dtype.itemsize))
                      for shape, b in zip(self.shapes, self.inputs)]
        self.makes = [(shape, b.dtype) for shape, b in zip(self.shapes[n:], engine.outputs)]
        self.names = [b.name for b in engine.outputs]
        # An output may turn out smaller than its bound, where the data decides; the engine does not say which may.
        self.sizes = [(i, b.index, bytes(_structs.Dims(*self.shapes[b.index])))
                      for i, b in enumerate(engine.outputs) if self.shapes[b.index]]
        self.rank, self.dims = ctypes.c_int(), _structs.Dims()
        self.rank_at, self.dims_at = ctypes.byref(self.rank), ctypes.byref(self.dims)
        self.ins, self.outs = (ctypes.c_void_p * max(n, 1))(), (ctypes.c_void_p * max(len(self.makes), 1))()
        self.in_at, self.out_at = ctypes.addressof(self.ins), ctypes.addressof(self.outs)
        self.error = _structs.Error()
        self.error_at = ctypes.byref(self.error)
        self.last: List[Any] = [None] * n

    def take(self, given: Sequence[Any]) -> bool:
        """Writes the inputs' addresses into the call's argument and keeps the arrays; False where one does not fit as
        it is."""
        last = self.last
        if len(given) != len(last):
            return False
        i = 0
        for array in given:
            shape, dtype, strides = self.wants[i]
            if type(array) is not _ndarray or array.shape != shape or array.strides != strides or \
                    array.dtype is not dtype and array.dtype != dtype:
                return False
            # The same object could have been given other memory only while nobody else held it: we do.
            if array is not last[i]:
                if not array.flags.aligned:
                    return False
                self.ins[i] = array.__array_interface__["data"][0]
                last[i] = array
            i += 1
        return True

    def fits(self, given: Sequence[numpy.ndarray]) -> bool:
        """Whether the arrays have the shapes that the context is prepared for."""
        return all(array.shape == want[0] for array, want in zip(given, self.wants))

    def take_any(self, given: Sequence[numpy.ndarray]) -> None:
        """The same as take() for arrays of the right shapes that may have to be copied, or refused."""
        for i, array in enumerate(given):
            array = array_for_input(array, self.inputs[i], self.engine.runtime)
            self.ins[i] = address_in_place(array)
            self.last[i] = array

    def give(self) -> List[numpy.ndarray]:
        """New arrays for the outputs."""
        arrays, i = [], 0
        for shape, dtype in self.makes:
            array = _empty(shape, dtype)
            self.outs[i] = array.__array_interface__["data"][0]
            arrays.append(array)
            i += 1
        return arrays

    def take_outputs(self, arrays: Sequence[numpy.ndarray]) -> None:
        """Writes the outputs' addresses into the call's argument."""
        for i, array in enumerate(arrays):
            self.outs[i] = address_in_place(array)

    def raise_error(self, status: int) -> None:
        """Raises what the call answered."""
        if status:
            raise error_of(status, self.error.text)

    def finish(self, box: Any, arrays: List[numpy.ndarray]) -> Any:
        """The outputs by name; those whose size the data decided are cut to it."""
        for i, index, bound in self.sizes:
            _binding_shape(box._as_parameter_, index, self.rank_at, self.dims_at, None)
            if bytes(self.dims) != bound:
                arrays[i] = _cut(arrays[i], tuple(self.dims[:self.rank.value]))
        return dict(zip(self.names, arrays))


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


def array_for_input(value: Any, binding: Binding, runtime: Any = None) -> numpy.ndarray:
    """A host array with an input's type, in place where it can be."""
    if isinstance(value, DeviceArray) and not value.runtime.host_memory:
        raise InvalidArgumentError("input '%s': a %r is on the device: bind() and enqueue() use it there, .numpy() "
                                   "copies it to the host" % (binding.name, value))
    if not isinstance(value, numpy.ndarray):
        seen = device_array_of(value, runtime) if runtime is not None and not isinstance(value, DeviceArray) else None
        value = numpy.asarray(value if seen is None else seen) if _has_dtype(value) else \
            _from_sequence(value, binding)
    if value.dtype != binding.dtype:
        raise InvalidArgumentError("input '%s' is %s, and the array is %s: convert it, with x.astype(numpy.%s) for "
                                   "one" % (binding.name, binding.dtype, value.dtype, binding.dtype))
    if value.flags.c_contiguous and value.flags.aligned:
        return value
    warnings.warn("input '%s' is not contiguous and was copied: numpy.ascontiguousarray(x) once, before the loop, "
                  "avoids it" % binding.name, CopyWarning, stacklevel=5)
    return numpy.array(value, order="C", copy=True)


def _has_dtype(value: Any) -> bool:
    return hasattr(value, "dtype") or hasattr(value, "__array_interface__") or hasattr(value, "__dlpack__")


def _from_sequence(value: Any, binding: Binding) -> numpy.ndarray:
    try:
        return numpy.array(value, dtype=binding.dtype, order="C")
    except (TypeError, ValueError, OverflowError) as reason:
        raise InvalidArgumentError("input '%s' can't be made of a %s: %s" % (binding.name, type(value).__name__,
                                                                             reason)) from None


def check_output(array: Any, binding: Binding, shape: Shape) -> numpy.ndarray:
    """An array that an output may be written into: as it is, or not at all."""
    if isinstance(array, DeviceArray) and array.runtime.host_memory and not array.read_only:
        array = numpy.asarray(array)
    if not isinstance(array, numpy.ndarray):
        raise TypeError("out: output '%s' needs a numpy array, not %s" % (binding.name, type(array).__name__))
    if array.dtype != binding.dtype or array.shape != shape:
        raise InvalidArgumentError("out: output '%s' is %s %s, and the array %s %s" % (
            binding.name, binding.dtype, list(shape), array.dtype, list(array.shape)))
    if not (array.flags.c_contiguous and array.flags.aligned and array.flags.writeable):
        raise InvalidArgumentError("out: the array for output '%s' must be contiguous, aligned and writeable"
                                   % binding.name)
    return array


def address_of(value: Any, binding: Binding, shape: Shape, runtime: Any) -> Tuple[int, Any]:
    """The address to bind, and what to keep alive for it. An input may be read only; an output must not."""
    if isinstance(value, DeviceMemory):
        value = value.array(shape, binding.data_type)
    seen = device_array_of(value, runtime)
    if seen is not None:
        if seen.runtime is not runtime and seen.runtime.device != runtime.device:
            raise InvalidArgumentError("'%s' can't be bound to memory of %s: the engine runs on %s" % (
                binding.name, seen.runtime.device, runtime.device))
        if seen.read_only and not binding.is_input:
            raise InvalidArgumentError("output '%s' can't be bound to memory that may only be read" % binding.name)
        if seen.data_type != binding.data_type or seen.shape != shape:
            raise InvalidArgumentError("'%s' is %s %s, and what is bound to it %s %s" % (
                binding.name, binding.data_type.onnx, list(shape), seen.data_type.onnx, list(seen.shape)))
        return seen.address, (value, seen)
    if isinstance(value, numpy.ndarray):
        if not runtime.host_memory:
            raise InvalidArgumentError("'%s': %s can't read host memory: runtime.to_device(array) copies it there"
                                       % (binding.name, runtime.device))
        if binding.is_input:
            if value.dtype == binding.dtype and value.flags.c_contiguous and value.flags.aligned:
                return address_in_place(value), value
            raise InvalidArgumentError("input '%s' can only be bound to a contiguous array of %s" % (
                binding.name, binding.dtype))
        return address_in_place(check_output(value, binding, shape)), value
    if isinstance(value, (str, bytes)) or not hasattr(value, "__index__"):
        raise TypeError("'%s' can't be bound to a %s" % (binding.name, type(value).__name__))
    return integer(value, "an address", 1, (1 << 64) - 1), None
