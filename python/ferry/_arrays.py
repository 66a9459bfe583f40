# SPDX-License-Identifier: Apache-2.0
"""How arrays become the addresses that one inference reads and writes: checked, and in place."""
import ctypes
import warnings
from typing import Any, Tuple

import numpy

from ferry._errors import CopyWarning, InvalidArgumentError
from ferry._library import integer
from ferry._memory import DeviceArray, DeviceMemory, device_array_of
from ferry._types import Binding, Shape

_first_byte = ctypes.c_char.from_buffer

def address_in_place(array: numpy.ndarray) -> int:
    """Where an array's first element lies."""
    try:
        return ctypes.addressof(_first_byte(array))  # half the work of describing the whole array
    except (TypeError, ValueError, BufferError):  # it may only be read, is empty, or of a type that buffers don't know
        return array.__array_interface__["data"][0]


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
