# SPDX-License-Identifier: Apache-2.0
"""From a picture to a network's input, and from the network's coordinates back to the picture."""
import ctypes
import json
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy

from ferry import _structs
from ferry._errors import InvalidArgumentError
from ferry._handles import Box, Exclusive
from ferry._library import U32, encode, encode_path, integer, lib
from ferry._pictures import array_of_picture, pixels_of, to_c
from ferry._types import DataType

SETTINGS = ("size", "resize", "resize_shorter", "keep_ratio_height", "rounding", "align", "filter", "color", "layout",
            "mean", "std", "pad")
_DTYPES = (DataType.F32, DataType.F16, DataType.U8, DataType.S8)


class Geometry(NamedTuple("Geometry", [(name, float if name.startswith("scale") else int)
                                       for name, _type in _structs.PreprocessGeometry._fields_])):
    """Where a picture lies in the input. Input x = source x * scale_x + offset_x; coordinates count from the top left
    corner of the top left pixel."""

    __slots__ = ()

    def to_c(self) -> Any:
        """The C struct."""
        return _structs.PreprocessGeometry(*self)

    def unmap_points(self, points: Any) -> numpy.ndarray:
        """Points [n, 2] of the input, in pixels of the picture."""
        out = numpy.array(points, numpy.float32, order="C").reshape(-1, 2)
        lib.preprocess_unmap_points(self._ref(), _floats(out), len(out))
        return out

    def unmap_boxes(self, boxes: Any) -> numpy.ndarray:
        """Boxes [n, 4] (x1, y1, x2, y2) of the input, in pixels of the picture and clipped to it."""
        out = numpy.array(boxes, numpy.float32, order="C").reshape(-1, 4)
        lib.preprocess_unmap_boxes(self._ref(), _floats(out), len(out), 16)
        return out

    def unmap_mask(self, mask: Any, outside: int = 255) -> numpy.ndarray:
        """A class mask that covers the input, cut and resized to the picture. outside: the class of what it lost."""
        source, out = numpy.ascontiguousarray(mask), _structs.Picture()
        if source.dtype != numpy.uint8 or source.ndim != 2:
            raise InvalidArgumentError("a mask is uint8 [height, width], not %s %s" % (source.dtype,
                                                                                       list(source.shape)))
        lib.preprocess_unmap_mask(self._ref(), source.ctypes.data, source.shape[1], source.shape[0],
                                  integer(outside, "outside", 0, 255), None, ctypes.byref(out))
        return array_of_picture(out)

    def _ref(self) -> Any:
        return ctypes.byref(self.to_c())


def _floats(array: numpy.ndarray) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_float))


def _text_of(name: str, value: Any) -> bytes:
    """A setting as the command's option has it: (224, 224) is 224x224, a list of numbers is 1,2,3."""
    if isinstance(value, numpy.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        value = ("x" if name == "size" else ",").join(_number(v) for v in value)
    elif not isinstance(value, (str, bytes)):
        value = "%sx%s" % (_number(value), _number(value)) if name == "size" else _number(value)
    return encode(value, name)


def _number(value: Any) -> str:
    if hasattr(value, "__index__"):
        return str(value.__index__())
    if hasattr(value, "__float__"):
        return repr(float(value))
    raise TypeError("%r is no number" % (value,))


class Preprocess:
    """Turns pictures into inputs: Preprocess("imagenet", size=224), Preprocess(mean=127, std=128, resize="crop").

    preset: imagenet, unit (x/255), tf (x/127.5-1), yolo, yolox, nanodet, ssd, or the path of a JSON file. The settings
    are the command's options: size (width, height), resize, resize_shorter, keep_ratio_height, rounding, align,
    filter, color, layout, mean, std, pad; colours are 0..255, in the order red, green, blue."""

    def __init__(self, preset: Any = None, **settings: Any) -> None:
        struct = _structs.Preprocess()
        if preset is None:
            lib.preprocess_default(ctypes.byref(struct))
        else:
            lib.preprocess_parse(encode_path(preset, "the preset"), ctypes.byref(struct))
        self._change(struct, settings)
        self._struct = struct
        self._exclusive = Exclusive("preprocess")
        self._box: Optional[Box] = None

    @staticmethod
    def _change(struct: Any, settings: Dict[str, Any]) -> None:
        for name, value in settings.items():
            if name not in SETTINGS:
                raise TypeError("there is no setting '%s'; there are %s" % (name, ", ".join(SETTINGS)))
            if value is not None:
                lib.preprocess_set(ctypes.byref(struct), encode(name.replace("_", "-")), _text_of(name, value))

    @classmethod
    def from_json(cls, text: Any) -> "Preprocess":
        """From to_json()'s text, or a dict of its keys."""
        if isinstance(text, dict):
            text = json.dumps(text)
        made, raw = cls(), encode(text, "the JSON")
        lib.preprocess_from_json(raw, len(raw), ctypes.byref(made._struct))
        return made

    def to_json(self) -> str:
        """One line of JSON in canonical form: all keys, fixed order."""
        text = ctypes.create_string_buffer(1024)
        lib.preprocess_to_json(ctypes.byref(self._struct), text, len(text))
        return text.value.decode()

    @property
    def settings(self) -> Dict[str, Any]:
        """The settings by name."""
        return json.loads(self.to_json())

    def replace(self, **settings: Any) -> "Preprocess":
        """Another one with these settings changed."""
        made = Preprocess.from_json(self.to_json())
        self._change(made._struct, settings)
        return made

    @property
    def size(self) -> Tuple[int, int]:
        """Width and height of the input; 0 where it is left open."""
        return self._struct.width, self._struct.height

    @property
    def hash(self) -> int:
        """A 64-bit hash of the settings, the same on every machine."""
        out = ctypes.c_uint64()
        lib.preprocess_hash(ctypes.byref(self._struct), ctypes.byref(out))
        return out.value

    @property
    def channels_last(self) -> bool:
        """Whether the input is NHWC."""
        return self._struct.layout == 1

    def fit(self, width: int, height: int, channels: int = 0) -> "Preprocess":
        """Another one with the size of a model's input, where the settings leave it open; an error where the two
        contradict each other. 0 is what the model leaves open."""
        made = Preprocess.from_json(self.to_json())
        lib.preprocess_set_input(ctypes.byref(made._struct), integer(width, "width", 0, U32),
                                 integer(height, "height", 0, U32), integer(channels, "channels", 0, U32))
        return made

    def fit_binding(self, binding: Any) -> "Preprocess":
        """fit() for an engine's input, or of a network whose shape is known."""
        shape = binding.opt_shape
        if len(shape) != 4:
            raise InvalidArgumentError("input '%s' has %d dimensions: pictures need 4" % (binding.name, len(shape)))
        c, h, w = (3, 1, 2) if self.channels_last else (1, 2, 3)
        open_width = binding.min_shape[w] != binding.max_shape[w]
        return self.fit(0 if open_width else max(shape[w], 0), max(shape[h], 0), max(shape[c], 0))

    def plan(self, width: int, height: int) -> Geometry:
        """Where a picture of that size will lie, without touching pixels."""
        out = _structs.PreprocessGeometry()
        lib.preprocess_plan(ctypes.byref(self._struct), integer(width, "width", 0, U32),
                            integer(height, "height", 0, U32), ctypes.byref(out))
        return _geometry(out)

    def __call__(self, image: Any, dtype: Any = numpy.float32,
                 out: Optional[numpy.ndarray] = None) -> Tuple[numpy.ndarray, Geometry]:
        """One sample of the input, [C, H, W] or [H, W, C], and where the picture lies in it.

        image: a path, a PIL image or a uint8 array. dtype: float32, float16, uint8 or int8. out: to write into."""
        pixels, data_type = pixels_of(image), DataType.of(dtype)
        if data_type not in _DTYPES:
            raise InvalidArgumentError("a picture can become %s, not %s" % (
                ", ".join(t.onnx for t in _DTYPES), data_type.onnx))
        plan = self.plan(pixels.shape[1], pixels.shape[0])
        hw = (plan.height, plan.width)
        shape = hw + (plan.channels,) if self.channels_last else (plan.channels,) + hw
        if out is None:
            out = numpy.empty(shape, data_type.numpy)
        elif not isinstance(out, numpy.ndarray) or out.dtype != data_type.numpy or out.shape != shape or \
                not (out.flags.c_contiguous and out.flags.writeable):
            raise InvalidArgumentError("out must be a contiguous array of %s %s" % (data_type.onnx, list(shape)))
        return out, self._run(pixels, data_type, out)

    def _run(self, pixels: numpy.ndarray, data_type: DataType, out: numpy.ndarray) -> Geometry:
        geometry, picture = _structs.PreprocessGeometry(), to_c(pixels)
        with self._exclusive:
            if self._box is None:
                handle = ctypes.c_void_p()
                lib.preprocessor_create(ctypes.byref(self._struct), None, ctypes.byref(handle))
                self._box = Box(handle.value, lib.preprocessor_destroy)
            lib.preprocessor_run(self._box, ctypes.byref(picture), data_type, out.ctypes.data, out.nbytes,
                                 ctypes.byref(geometry))
        return _geometry(geometry)

    @staticmethod
    def presets() -> List[str]:
        """Names of the presets."""
        names: List[str] = []
        while lib.preprocess_preset_name(len(names)) is not None:
            names.append(lib.preprocess_preset_name(len(names)).decode())
        return names

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Preprocess) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return self.hash

    def __reduce__(self) -> Any:
        return Preprocess.from_json, (self.to_json(),)

    def __repr__(self) -> str:
        return "<ferry.Preprocess %s>" % self.to_json()


def _geometry(struct: Any) -> Geometry:
    return Geometry(*[getattr(struct, name) for name in Geometry._fields])


def preprocess_of(value: Any) -> Optional[Preprocess]:
    """A Preprocess of what callers give: one, JSON text or a dict, a preset's name, a path; None stays None."""
    if value is None or isinstance(value, Preprocess):
        return value
    if isinstance(value, dict) or isinstance(value, str) and value.lstrip().startswith("{"):
        return Preprocess.from_json(value)
    return Preprocess(value)
