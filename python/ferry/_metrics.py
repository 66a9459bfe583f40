# SPDX-License-Identifier: Apache-2.0
"""How good results are: top-1 and top-5, average precision as COCO defines it, mean intersection over union."""
import ctypes
from typing import Any, List, NamedTuple, Optional, Tuple

import numpy

from ferry import _structs
from ferry._errors import InvalidArgumentError
from ferry._handles import Exclusive, Handle
from ferry._library import I32, I64, U32, decode, encode_path, integer, lib
from ferry._results import Detection, Result

TrueBox = NamedTuple("TrueBox", [("box", Tuple[float, float, float, float]), ("index", int), ("is_crowd", bool)])
TrueBox.__doc__ = "A true object: its box (x1, y1, x2, y2) in pixels, its class, and whether it is a crowd."
Summary = NamedTuple("Summary", [("map50", float), ("map", float), ("class_count", int), ("picture_count", int),
                                     ("true_box_count", int)])
Summary.__doc__ = "Mean average precision at IoU 0.5, and over 0.5 to 0.95."


class TopK:
    """Counts of a classifier's hits. Sums of several (in threads, processes, machines) are added with +."""

    def __init__(self, pictures: int = 0, top1: int = 0, top5: int = 0) -> None:
        self.pictures = pictures
        self.hits1 = top1
        self.hits5 = top5

    def add(self, result: Result, true_class: int) -> None:
        """One picture's result, decoded with top_k >= 5, and what is in it."""
        counts = _structs.TopkCounts(self.pictures, self.hits1, self.hits5)
        lib.topk_add(ctypes.byref(counts), _result(result)._struct(), integer(true_class, "true_class", -I64, I64))
        self.pictures, self.hits1, self.hits5 = counts.pictures, counts.top1, counts.top5

    @property
    def top1(self) -> float:
        """Share of pictures whose class came first."""
        return self.hits1 / self.pictures if self.pictures else 0.0

    @property
    def top5(self) -> float:
        """Share of pictures whose class was among the first five."""
        return self.hits5 / self.pictures if self.pictures else 0.0

    def __add__(self, other: "TopK") -> "TopK":
        return TopK(self.pictures + other.pictures, self.hits1 + other.hits1, self.hits5 + other.hits5)

    def __repr__(self) -> str:
        return "<ferry.TopK: top-1 %.4f, top-5 %.4f of %d pictures>" % (self.top1, self.top5, self.pictures)


class CocoTruth(Handle):
    """True boxes: a COCO instances JSON, or a folder of YOLO label files."""

    _survives_fork = True

    def __init__(self, path: Any) -> None:
        out = ctypes.c_void_p()
        lib.coco_truth_read(encode_path(path), None, ctypes.byref(out))
        self._adopt(out, lib.coco_truth_destroy)

    def __len__(self) -> int:
        return lib.coco_truth_picture_count(self._use())

    def find(self, picture: Any) -> Optional[int]:
        """The number of a picture, by its file name without folder and ending; None when it is not known."""
        index = lib.coco_truth_find(self._use(), encode_path(picture))
        return None if index < 0 else index

    def name(self, picture: int) -> Optional[str]:
        """The name by which a picture was recorded."""
        return decode(lib.coco_truth_picture_name(self._use(), self._number(picture)))

    def _number(self, picture: int) -> int:
        if not len(self):
            raise IndexError("there are no pictures")
        return integer(picture, "the picture's number", 0, len(self) - 1)

    def boxes(self, picture: int, width: int, height: int) -> List[TrueBox]:
        """The true boxes of a picture of that size."""
        args = (self._use(), self._number(picture), integer(width, "width", 0, U32),
                integer(height, "height", 0, U32))
        count = lib.coco_truth_boxes(*(args + (None, 0)))
        found = (_structs.TrueBox * max(count, 1))()
        lib.coco_truth_boxes(*(args + (found, count)))
        return [TrueBox((b.x1, b.y1, b.x2, b.y2), b.class_index, bool(b.is_crowd)) for b in found[:count]]


class AveragePrecision(Handle):
    """Average precision over pictures: add() each, then summary()."""

    _survives_fork = True

    def __init__(self) -> None:
        out = ctypes.c_void_p()
        lib.ap_create(None, ctypes.byref(out))
        self._adopt(out, lib.ap_destroy)
        self._exclusive = Exclusive("average precision")

    def add(self, found: Any, truth: Any) -> None:
        """A picture: what was found (a Result, or Detections) and what is in it (TrueBoxes)."""
        boxes = list(found)
        if not all(isinstance(d, Detection) for d in boxes) or not all(isinstance(t, TrueBox) for t in truth):
            raise TypeError("add() takes a detector's Result, or Detections, and TrueBoxes")
        c_found = (_structs.Detection * max(len(boxes), 1))(*[
            _structs.Detection(*(tuple(d.box) + (d.score, integer(d.index, "a class", -I32, I32)))) for d in boxes])
        c_truth = (_structs.TrueBox * max(len(truth), 1))(*[
            _structs.TrueBox(*(tuple(t.box) + (integer(t.index, "a class", -I32, I32), int(t.is_crowd))))
            for t in truth])
        with self._exclusive:
            lib.ap_add(self._use(), c_found, len(boxes), c_truth, len(truth))

    def summary(self) -> Summary:
        """May be asked at any time; more pictures may follow."""
        out = _structs.ApSummary()
        with self._exclusive:
            lib.ap_summarise(self._use(), ctypes.byref(out))
        return Summary(out.map50, out.map, out.class_count, out.picture_count, out.true_box_count)

    def of_class(self, index: int) -> Optional[float]:
        """AP at IoU 0.5 of one class; None when it does not occur."""
        with self._exclusive:
            value = lib.ap_class(self._use(), integer(index, "a class", -I32, I32))
        return None if value < 0 else value


class IoU:
    """Pixels counted by class. Sums of several are added with +."""

    def __init__(self) -> None:
        self._counts = _structs.IouCounts()

    def add(self, truth: Any, found: Any) -> None:
        """A picture's true and found class maps, uint8 [height, width]; true pixels of 255 are left out."""
        t, f = numpy.asarray(truth), numpy.asarray(found)
        for what in (t, f):
            if what.dtype != numpy.uint8 or what.ndim != 2:
                raise InvalidArgumentError("a class map is uint8 [height, width], not %s %s" % (what.dtype,
                                                                                               list(what.shape)))
        if t.shape != f.shape:
            raise InvalidArgumentError("the class maps are %s and %s" % (list(t.shape), list(f.shape)))
        t, f = numpy.ascontiguousarray(t), numpy.ascontiguousarray(f)
        lib.iou_add(ctypes.byref(self._counts), t.ctypes.data, t.strides[0], f.ctypes.data, f.strides[0], t.shape[1],
                    t.shape[0])

    @property
    def mean(self) -> float:
        """Mean over the classes that occur."""
        return lib.iou_mean(ctypes.byref(self._counts), None)

    @property
    def class_count(self) -> int:
        """Classes that occur."""
        count = ctypes.c_size_t()
        lib.iou_mean(ctypes.byref(self._counts), ctypes.byref(count))
        return count.value

    @property
    def pixel_accuracy(self) -> float:
        """Share of pixels that were found right."""
        return lib.iou_pixel_accuracy(ctypes.byref(self._counts))

    def __add__(self, other: "IoU") -> "IoU":
        made = IoU()
        mine, theirs = bytes(self._counts), bytes(other._counts)
        total = numpy.frombuffer(mine, numpy.uint64) + numpy.frombuffer(theirs, numpy.uint64)
        ctypes.memmove(ctypes.byref(made._counts), total.tobytes(), ctypes.sizeof(made._counts))
        return made

    def __reduce__(self) -> Any:
        return _iou_of, (bytes(self._counts),)


def _iou_of(counts: bytes) -> IoU:
    made = IoU()
    ctypes.memmove(ctypes.byref(made._counts), counts, ctypes.sizeof(made._counts))
    return made


def _result(result: Any) -> Result:
    if not isinstance(result, Result):
        raise TypeError("result must be a ferry.Result, not %s" % type(result).__name__)
    return result
