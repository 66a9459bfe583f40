# SPDX-License-Identifier: Apache-2.0
"""ONNX attributes and constants between Python values and C structs."""
import ctypes
from typing import Any, Tuple

import numpy

from ferry import _structs
from ferry._errors import InvalidArgumentError
from ferry._library import I64, decode, encode, integer
from ferry._observe import array_of_view
from ferry._types import DataType

INT, FLOAT, STRING, INTS, FLOATS, STRINGS, TENSOR = range(1, 8)


def view_of(value: Any) -> Any:
    """A C tensor view of an array, or of what numpy makes one of; Python's floats become float32."""
    array = numpy.asarray(value)
    if array.dtype == numpy.float64 and not isinstance(value, (numpy.ndarray, numpy.generic)):
        array = array.astype(numpy.float32)
    array = numpy.require(array, requirements=["C", "A"])
    if array.ndim > _structs.MAX_RANK:
        raise InvalidArgumentError("an array of %d dimensions: %d are possible" % (array.ndim, _structs.MAX_RANK))
    view = _structs.TensorView(None, DataType.of(array.dtype), array.ndim, _structs.Dims(*array.shape),
                               array.ctypes.data)
    view.keep = array
    return view


def _strings(values: Any) -> Any:
    return (ctypes.c_char_p * max(len(values), 1))(*[encode(v, "a string of an attribute") for v in values])


def attribute_of(name: str, value: Any) -> Tuple[Any, Any]:
    """A C attribute, and what must be kept while it is used."""
    attribute = _structs.Attribute(name=encode(name, "an attribute's name"), count=1)
    if isinstance(value, numpy.ndarray):
        view = view_of(value)
        attribute.kind, attribute.tensor = TENSOR, view
        return attribute, view
    several = isinstance(value, (list, tuple))
    values = list(value) if several else [value]
    attribute.count = len(values)
    if values and all(isinstance(v, (str, bytes)) for v in values):
        keep, kind = _strings(values), STRINGS
        attribute.strings = keep
    elif all(hasattr(v, "__index__") for v in values):
        keep, kind = (ctypes.c_int64 * max(len(values), 1))(*[integer(v, name, -I64 - 1, I64) for v in values]), INTS
        attribute.ints = keep
    elif all(hasattr(v, "__float__") and not isinstance(v, complex) for v in values):
        keep, kind = (ctypes.c_float * len(values))(*map(float, values)), FLOATS
        attribute.floats = keep
    else:
        raise TypeError("attribute '%s' must be an int, a float, a string, a list of one of them or an array, not %r"
                        % (name, value))
    attribute.kind = kind if several else kind - (INTS - INT)
    return attribute, keep


def value_of_attribute(attribute: Any) -> Any:
    """The Python value of a C attribute."""
    kind, n = attribute.kind, attribute.count
    if kind == TENSOR:
        return array_of_view(attribute.tensor)
    if kind in (INT, INTS):
        values = list(attribute.ints[:n])
    elif kind in (FLOAT, FLOATS):
        values = list(attribute.floats[:n])
    else:
        values = [decode(attribute.strings[i]) for i in range(n)]
    return values[0] if kind in (INT, FLOAT, STRING) else values
