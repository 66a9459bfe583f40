# SPDX-License-Identifier: Apache-2.0
"""Pictures: files, PIL images and arrays of pixels, seen by C where they are."""
import ctypes
import os
from typing import Any, List, Optional, Tuple

import numpy

from ferry import _structs
from ferry._errors import InvalidArgumentError
from ferry._library import U64, encode_path, integer, lib

FILTERS = ("bilinear", "nearest", "box", "hamming", "bicubic", "lanczos")
_FORMS = {"rgb": 0, "index": 1}


class _Pixels:
    """Owns pixels that C has allocated, for as long as a numpy array shows them."""

    def __init__(self, picture: Any) -> None:
        self.picture = picture
        shape = (picture.height, picture.width, picture.channels)
        self.__array_interface__ = {"version": 3, "typestr": "|u1", "data": (picture.pixels, False),
                                    "shape": shape[:2] if picture.channels == 1 else shape,
                                    "strides": (picture.stride_bytes, picture.channels, 1)[:2 if picture.channels == 1
                                                                                           else 3]}

    def __del__(self) -> None:
        lib.picture_deinit(ctypes.byref(self.picture))


def array_of_picture(picture: Any) -> numpy.ndarray:
    """A numpy array over a C picture, which it takes over: [height, width, channels], or [height, width] of one."""
    return numpy.asarray(_Pixels(picture))


def copy_of_picture(picture: Any) -> numpy.ndarray:
    """The same of a picture that stays C's."""
    rows = numpy.ctypeslib.as_array(ctypes.cast(picture.pixels, ctypes.POINTER(ctypes.c_ubyte)),
                                    (picture.height, picture.stride_bytes))
    used = rows[:, :picture.width * picture.channels].copy()
    return used if picture.channels == 1 else used.reshape(picture.height, picture.width, picture.channels)


def read_picture(source: Any, form: str = "rgb", max_pixels: int = 0) -> numpy.ndarray:
    """Pixels of a JPEG or PNG: a path, or the file's bytes. uint8 [height, width, 3], the values of Pillow's
    convert("RGB"); with form="index" [height, width]: palette indices or grey values as stored, for class masks."""
    if form not in _FORMS:
        raise InvalidArgumentError("form must be 'rgb' or 'index', not %r" % (form,))
    picture = _structs.Picture()
    options = _structs.PictureOptions(max_pixels=integer(max_pixels, "max_pixels", 0, U64), form=_FORMS[form])
    if isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
        lib.picture_decode(data, len(data), ctypes.byref(options), None, ctypes.byref(picture))
    else:
        lib.picture_read(encode_path(source), ctypes.byref(options), None, ctypes.byref(picture))
    return array_of_picture(picture)


def pixels_of(image: Any) -> numpy.ndarray:
    """Pixels of whatever is a picture to callers: a path, a PIL image, or a uint8 array [height, width(, channels)]."""
    if isinstance(image, (str, bytes, os.PathLike)):
        return read_picture(os.fsdecode(image))
    if not isinstance(image, numpy.ndarray):
        convert = getattr(image, "convert", None)
        if convert is not None and getattr(image, "mode", None) not in ("RGB", "L"):
            image = convert("RGB")
        if not (hasattr(image, "__array_interface__") or hasattr(image, "__array__")):
            raise TypeError("a picture is a path, a PIL image or a uint8 array, not %s" % type(image).__name__)
        image = numpy.asarray(image)
    if image.dtype != numpy.uint8 or image.ndim not in (2, 3) or image.ndim == 3 and image.shape[2] not in (1, 3, 4):
        raise InvalidArgumentError("a picture as an array is uint8 [height, width], or [height, width, channels] of 1, "
                                   "3 or 4 channels, and not %s %s" % (image.dtype, list(image.shape)))
    if image.size == 0:
        raise InvalidArgumentError("the picture is empty: %s" % (list(image.shape),))
    return image


def to_c(pixels: numpy.ndarray) -> Any:
    """A C picture over an array, in place where its rows are dense (they may be apart: a crop), else over a copy."""
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    strides = pixels.strides
    dense = strides[1] == channels and (pixels.ndim == 2 or strides[2] == 1 or channels == 1) and \
        strides[0] >= pixels.shape[1] * channels
    if not dense:
        pixels = numpy.ascontiguousarray(pixels)
    picture = _structs.Picture(pixels=pixels.ctypes.data, width=pixels.shape[1], height=pixels.shape[0],
                               channels=channels, stride_bytes=pixels.strides[0])
    picture.keep = pixels
    return picture


def write_picture(path: Any, image: Any, quality: Optional[int] = None) -> None:
    """Writes a PNG or JPEG, by the name's ending: whole, or not at all. quality: of JPEGs, 1 to 100, default 95."""
    picture = to_c(pixels_of(image))
    if quality is None:
        lib.picture_write(ctypes.byref(picture), encode_path(path), None)
    else:
        lib.picture_write_jpeg(ctypes.byref(picture), encode_path(path), integer(quality, "quality", 1, 100), None)


def encode_picture(image: Any, format: str = "png", quality: int = 95) -> bytes:
    """The bytes of a PNG or JPEG file."""
    picture, data, nbytes = to_c(pixels_of(image)), ctypes.c_void_p(), ctypes.c_size_t()
    if format == "png":
        lib.picture_encode_png(ctypes.byref(picture), None, ctypes.byref(data), ctypes.byref(nbytes))
    elif format in ("jpeg", "jpg"):
        lib.picture_encode_jpeg(ctypes.byref(picture), integer(quality, "quality", 1, 100), None, ctypes.byref(data),
                                ctypes.byref(nbytes))
    else:
        raise InvalidArgumentError("format must be 'png' or 'jpeg', not %r" % (format,))
    try:
        return ctypes.string_at(data, nbytes.value)
    finally:
        lib.picture_free_encoded(None, data, nbytes)


def resize(image: Any, size: Tuple[int, int], filter: str = "bilinear",
           box: Optional[Tuple[float, float, float, float]] = None) -> numpy.ndarray:
    """Resizes to size (width, height) with the numbers of Pillow's Image.resize. box: the part of the picture that is
    taken, (left, top, right, bottom) in pixels."""
    if filter not in FILTERS:
        raise InvalidArgumentError("filter must be one of %s, not %r" % (", ".join(FILTERS), filter))
    width, height = size
    source, out = to_c(pixels_of(image)), _structs.Picture()
    part = None if box is None else ctypes.byref(_structs.PictureBox(*[float(b) for b in box]))
    lib.picture_resize(ctypes.byref(source), part, integer(width, "width", 1, 1 << 26),
                       integer(height, "height", 1, 1 << 26), FILTERS.index(filter), None, ctypes.byref(out))
    return array_of_picture(out)


def color_of_class(index: int) -> Tuple[int, int, int]:
    """The colour in which a class is drawn, the same in every picture."""
    rgb = (ctypes.c_ubyte * 3)()
    lib.draw_color(integer(index, "index", 0, (1 << 32) - 1), rgb)
    return rgb[0], rgb[1], rgb[2]


def canvas_of(image: Any) -> numpy.ndarray:
    """A copy to draw into: three channels at least."""
    pixels = pixels_of(image)
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        pixels = numpy.repeat(pixels.reshape(pixels.shape[0], pixels.shape[1], 1), 3, axis=2)
    return numpy.array(pixels, order="C", copy=True)


def show(pixels: numpy.ndarray) -> Any:
    """A PIL image of pixels; the array where there is no PIL."""
    try:
        from PIL import Image
    except ImportError:
        return pixels
    return Image.fromarray(pixels)


class SampleList:
    """The pictures (or rows) that a calibration source offers, so that others can use the same, or all but those.

    source: a folder of pictures, a list file (.txt) or samples (.npy). Iterating gives paths, of a .npy rows."""

    def __init__(self, source: Any, count: Optional[int] = None, seed: int = 0, others: bool = False) -> None:
        """count: keep so many, drawn with `seed` as calibration draws them (0: 500); others: all but those."""
        handle = ctypes.c_void_p()
        lib.sample_list_open(encode_path(source, "the source"), None, ctypes.byref(handle))
        try:
            if count is not None:
                lib.sample_list_choose(handle, integer(count, "count", 0, 1 << 62), integer(seed, "seed", 0, U64),
                                       int(bool(others)))
            self.ignored = lib.sample_list_ignored(handle)  # files that are no pictures by their names
            n = lib.sample_list_count(handle)
            self.paths: List[str] = [os.fsdecode(lib.sample_list_path(handle, i)) for i in range(n)]
            rows = [lib.sample_list_row(handle, i) for i in range(n)]
        finally:
            lib.sample_list_close(handle)
        self.rows: Optional[List[int]] = None if any(r > (1 << 62) for r in rows) else rows
        self._samples = numpy.load(self.paths[0], mmap_mode="r") if self.rows is not None and self.paths else None

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Any:
        return self.paths[index] if self._samples is None or self.rows is None else self._samples[self.rows[index]]
