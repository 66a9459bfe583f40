# SPDX-License-Identifier: Apache-2.0
"""What a network's outputs mean: presets and JSON, never code chosen by a model's name."""
import ctypes
import json
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy

from ferry import _structs
from ferry._errors import InvalidArgumentError
from ferry._handles import Handle
from ferry._labels import Labels
from ferry._library import I64, U32, decode, encode, encode_path, integer, lib, take_text
from ferry._results import TASKS, Result
from ferry._types import Binding, DataType

_LABELS_PER_BOX = {None: 0, "one": 1, "many": 2}


class Decoder(Handle):
    """Reads outputs: Decoder("yolov8"), Decoder("mine.json"), Decoder.from_json(text) or Decoder.propose(outputs)."""

    _survives_fork = True

    def __init__(self, preset: Any) -> None:
        self._make(lib.decoder_parse, encode_path(preset, "the decoder"))

    def _make(self, function: Any, *args: Any) -> "Decoder":
        out = ctypes.c_void_p()
        function(*(args + (None, ctypes.byref(out))))
        self._adopt(out, lib.decoder_destroy)
        return self

    @classmethod
    def from_json(cls, text: Any) -> "Decoder":
        """From JSON text, or a dict."""
        raw = encode(json.dumps(text) if isinstance(text, dict) else text, "the JSON")
        return cls.__new__(cls)._make(lib.decoder_from_json, raw, len(raw))

    @classmethod
    def propose(cls, outputs: Any, input_size: Tuple[int, int] = (0, 0), label_count: int = 0) -> Tuple["Decoder", str]:
        """A preset that the outputs' shapes alone suggest, and the reason. outputs: arrays, or Bindings."""
        views, (width, height) = _views(outputs), _size(input_size)
        name, reason = ctypes.c_char_p(), ctypes.create_string_buffer(512)
        lib.decoder_propose(views, len(views), width, height, integer(label_count, "label_count", 0, I64),
                            ctypes.byref(name), reason, len(reason))
        return cls(name.value), reason.value.decode("utf-8", "replace")

    @staticmethod
    def presets() -> Dict[str, str]:
        """The presets by name, as JSON, to print or to start an own one from."""
        found, i = {}, 0
        while lib.decoder_preset_name(i) is not None:
            name = lib.decoder_preset_name(i)
            found[name.decode()] = decode(lib.decoder_preset_json(name)) or ""
            i += 1
        return found

    def to_json(self) -> str:
        """One line of JSON in canonical form."""
        out = ctypes.c_void_p()
        lib.decoder_to_json(self._use(), None, ctypes.byref(out))
        return take_text(out)

    @property
    def task(self) -> str:
        """"classify", "detect" or "segment"."""
        return TASKS[lib.decoder_task(self._use())]

    @property
    def name(self) -> str:
        """Its name."""
        return decode(lib.decoder_name(self._use())) or ""

    @property
    def class_offset(self) -> int:
        """Class index = index in the output - offset; what lies below (a background) is never reported."""
        return lib.decoder_class_offset(self._use())

    def with_class_offset(self, offset: int) -> "Decoder":
        """Another one with this offset."""
        made = Decoder.from_json(self.to_json())
        lib.decoder_set_class_offset(made._use(), integer(offset, "class_offset", -I64, I64))
        return made

    def check(self, outputs: Any, input_size: Tuple[int, int] = (0, 0)) -> int:
        """Says whether outputs (arrays, or Bindings) are what it expects: the number of classes, or an error that says
        what was expected where."""
        views, (width, height), total = _views(outputs), _size(input_size), ctypes.c_size_t()
        lib.decoder_check(self._use(), views, len(views), width, height, ctypes.byref(total))
        return total.value

    def __call__(self, outputs: Any, geometry: Any = None, labels: Optional[Labels] = None, batch_index: int = 0,
                 top_k: int = 0, score_threshold: Optional[float] = None, nms_iou: Optional[float] = None,
                 max_det: int = 0, max_candidates: int = 0, labels_per_box: Optional[str] = None) -> Result:
        """Decodes one sample of a network's outputs: a dict of arrays by name, or a sequence in the engine's order.

        geometry: a ferry.Geometry, from the preprocessing; classifiers need none. labels_per_box: "one" or "many"."""
        views, options, result = _views(outputs), _structs.DecodeOptions(), Result(labels)
        lib.decode_options_default(ctypes.byref(options))
        for name, value in (("top_k", top_k), ("max_det", max_det), ("max_candidates", max_candidates),
                            ("batch_index", batch_index)):
            if value:
                setattr(options, name, integer(value, name, 1, U32))
        if score_threshold is not None:  # C reads 0 as its default
            options.score_threshold = float(score_threshold) if float(score_threshold) > 0 else -1.0
        if nms_iou is not None:
            options.nms_iou = float(nms_iou)
        if labels_per_box not in _LABELS_PER_BOX:
            raise InvalidArgumentError("labels_per_box must be 'one' or 'many', not %r" % (labels_per_box,))
        options.labels_per_box = _LABELS_PER_BOX[labels_per_box]
        where = None if geometry is None else ctypes.byref(geometry.to_c())
        lib.decoder_run(self._use(), views, len(views), where, ctypes.byref(options), result._struct())
        return result

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Decoder) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(self.to_json())

    def __reduce__(self) -> Any:
        return Decoder.from_json, (self.to_json(),)

    def __repr__(self) -> str:
        return "<ferry.Decoder, closed>" if self.closed else "<ferry.Decoder %s>" % self.to_json()


def _size(size: Tuple[int, int]) -> Tuple[int, int]:
    width, height = size
    return integer(width, "width", 0, U32), integer(height, "height", 0, U32)


def _view(name: Optional[str], value: Any) -> Any:
    if isinstance(value, Binding):
        shape = value.shape if not value.is_dynamic else tuple(max(d, 1) for d in value.shape)
        return _structs.TensorView(encode(value.name), value.data_type, len(shape), _structs.Dims(*shape), None)
    array = numpy.ascontiguousarray(value).reshape(numpy.shape(value))
    if array.ndim > _structs.MAX_RANK:
        raise InvalidArgumentError("an output of %d dimensions: %d are possible" % (array.ndim, _structs.MAX_RANK))
    view = _structs.TensorView(None if name is None else encode(name), DataType.of(array.dtype), array.ndim,
                               _structs.Dims(*array.shape), array.ctypes.data)
    view.keep = array
    return view


def _views(outputs: Any) -> Any:
    if isinstance(outputs, dict):
        pairs: Sequence[Tuple[Optional[str], Any]] = list(outputs.items())
    else:
        pairs = [(None, o) for o in ([outputs] if isinstance(outputs, numpy.ndarray) else outputs)]
    views = [_view(name, value) for name, value in pairs]
    made = (_structs.TensorView * max(len(views), 1))(*views)
    array = ctypes.cast(made, ctypes.POINTER(_structs.TensorView))
    return _Views(array, views, made)


class _Views:
    """An array of C views with the arrays that they show."""

    def __init__(self, array: Any, views: List[Any], made: Any) -> None:
        self._as_parameter_ = array
        self._keep = (views, made)

    def __len__(self) -> int:
        return len(self._keep[0])


def decoder_of(value: Any) -> Optional[Decoder]:
    """A Decoder of what callers give: one, JSON text or a dict, a preset's name, a path; None stays None."""
    if value is None or isinstance(value, Decoder):
        return value
    if isinstance(value, dict) or isinstance(value, str) and value.lstrip().startswith("{"):
        return Decoder.from_json(value)
    return Decoder(value)
