# SPDX-License-Identifier: Apache-2.0
"""Names that numpy, Pillow and Python have dropped since the old scripts were written, kept alive in compat mode only.

Each is set only where it is missing, to what it stood for; undo() takes all of them away again."""
import builtins
import collections
import importlib
import time
from typing import Any, List, Tuple

import numpy

_added: List[Tuple[Any, str]] = []


def _revive(owner: Any, name: str, value: Any) -> None:
    # vars, not hasattr: numpy's own __getattr__ answers for some of them with a warning.
    if name not in vars(owner):
        _added.append((owner, name))
        setattr(owner, name, value)


def _numpy() -> None:
    for name in ("bool", "int", "float", "complex", "object", "str"):
        # numpy 2 has a np.bool again, its own scalar type: that one stays.
        _revive(numpy, name, getattr(builtins, name))
    _revive(numpy, "long", int)
    _revive(numpy, "unicode", str)
    for old, new in {"float_": "float64", "complex_": "complex128", "int0": "intp", "uint0": "uintp",
                     "bool8": "bool_", "object0": "object_", "str0": "str_", "bytes0": "bytes_", "string_": "bytes_",
                     "unicode_": "str_", "Inf": "inf", "Infinity": "inf", "infty": "inf", "NaN": "nan",
                     "product": "prod", "cumproduct": "cumprod", "sometrue": "any", "alltrue": "all",
                     "round_": "round", "row_stack": "vstack", "trapz": "trapezoid"}.items():
        if hasattr(numpy, new):
            _revive(numpy, old, getattr(numpy, new))
    _revive(numpy, "asfarray", lambda a, dtype=numpy.float64: numpy.asarray(a, dtype=dtype))
    _revive(numpy, "in1d", lambda a, b, **options: numpy.isin(numpy.ravel(a), b, **options))


def _pillow() -> None:
    try:
        image, draw, font = (importlib.import_module("PIL." + n) for n in ("Image", "ImageDraw", "ImageFont"))
    except ImportError:
        return
    for old, new in {"ANTIALIAS": "LANCZOS", "LINEAR": "BILINEAR", "CUBIC": "BICUBIC"}.items():
        if hasattr(image, new):
            _revive(image, old, getattr(image, new))
    _revive(draw.ImageDraw, "textsize", _text_size)
    for kind in ("FreeTypeFont", "ImageFont", "TransposedFont"):
        if hasattr(font, kind):
            _revive(getattr(font, kind), "getsize", _font_size)


def _text_size(self, text, font=None, *args, **options):
    """ImageDraw.textsize: gone in Pillow 10."""
    left, top, right, bottom = self.textbbox((0, 0), text, font, *args, **options)
    return int(right), int(bottom)


def _font_size(self, text, *args, **options):
    """ImageFont.getsize: gone in Pillow 10."""
    left, top, right, bottom = self.getbbox(text, *args, **options)
    return int(right), int(bottom)


def _python() -> None:
    from collections import abc
    for name in ("Iterable", "Iterator", "Mapping", "MutableMapping", "Sequence", "MutableSequence", "Callable",
                 "Hashable", "Sized", "Container", "Set"):
        _revive(collections, name, getattr(abc, name))
    _revive(time, "clock", time.perf_counter)


def revive() -> List[str]:
    """Sets the names that are missing; returns them, e.g. "PIL.Image.ANTIALIAS"."""
    before = len(_added)
    for part in (_numpy, _pillow, _python):
        part()
    return ["%s.%s" % (getattr(owner, "__name__", owner), name) for owner, name in _added[before:]]


def undo() -> None:
    """Takes away what revive() set."""
    while _added:
        owner, name = _added.pop()
        delattr(owner, name)
