# SPDX-License-Identifier: Apache-2.0
"""What a decoder found in a picture: classes with scores, boxes, a class for every pixel; written, drawn, counted."""
import ctypes
import json
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

import numpy

from ferry import _structs
from ferry._handles import Handle
from ferry._labels import Labels
from ferry._library import U32, integer, lib, take_text
from ferry._pictures import canvas_of, copy_of_picture, show, to_c, write_picture

TASKS = ("raw", "classify", "detect", "segment")

Class = NamedTuple("Class", [("index", int), ("score", float), ("label", Optional[str])])
Class.__doc__ = "A class with its probability."
Detection = NamedTuple("Detection", [("box", Tuple[float, float, float, float]), ("score", float), ("index", int),
                                     ("label", Optional[str])])
Detection.__doc__ = "An object: its box (x1, y1, x2, y2) in pixels of the picture, its score, its class and name."


class Result(Handle):
    """What was found in one picture. Iterating gives its classes (best first), detections, or of a segmentation the
    classes with the share of the picture that each covers."""

    _survives_fork = True

    def __init__(self, labels: Optional[Labels] = None) -> None:
        out = ctypes.c_void_p()
        lib.result_create(None, ctypes.byref(out))
        self._adopt(out, _destroy)
        self._labels = labels
        self._picture: Any = None

    def _struct(self) -> Any:
        return ctypes.cast(self._use()._as_parameter_, ctypes.POINTER(_structs.Result))

    def _name(self, index: int) -> Optional[str]:
        return None if self._labels is None else self._labels.get(index)

    @property
    def task(self) -> str:
        """"classify", "detect", "segment", or "raw" when nothing was decoded."""
        return TASKS[self._struct().contents.task]

    @property
    def labels(self) -> Optional[Labels]:
        """The names of classes that it uses."""
        return self._labels

    @property
    def classes(self) -> List[Class]:
        """Of a classifier, best first."""
        c = self._struct().contents
        return [Class(k.class_index, k.score, self._name(k.class_index)) for k in c.classes[:c.class_count]]

    @property
    def detections(self) -> List[Detection]:
        """Of a detector, best first."""
        c = self._struct().contents
        return [Detection((d.x1, d.y1, d.x2, d.y2), d.score, d.class_index, self._name(d.class_index))
                for d in c.detections[:c.detection_count]]

    @property
    def class_map(self) -> Optional[numpy.ndarray]:
        """Of a segmentation: uint8 [height, width] of the picture, a class index, or 255 where there is none."""
        pointer = self._struct().contents.class_map
        return copy_of_picture(pointer.contents) if pointer else None

    def mask(self, index: int) -> numpy.ndarray:
        """Where a class is: bool [height, width]."""
        class_map = self.class_map
        if class_map is None:
            raise ValueError("a result of the task '%s' has no masks" % self.task)
        return class_map == integer(index, "index", 0, 255)

    @property
    def shares(self) -> List[Class]:
        """Of a segmentation: each class and the share of the picture that it covers."""
        class_map = self.class_map
        if class_map is None:
            return []
        counts = numpy.bincount(class_map.reshape(-1), minlength=256)[:255]
        return [Class(int(i), float(counts[i]) / class_map.size, self._name(int(i))) for i in counts.nonzero()[0]]

    @property
    def nonfinite(self) -> int:
        """Scores or boxes left out since they were NaN or infinite: a sign of a broken engine."""
        return self._struct().contents.nonfinite_count

    @property
    def candidates(self) -> Tuple[int, int]:
        """Boxes that reached the threshold, and how many of them suppression never looked at."""
        c = self._struct().contents
        return c.candidate_count, c.candidates_lost

    @property
    def class_total(self) -> int:
        """Classes that the network tells apart."""
        return self._struct().contents.class_total

    def to_json(self) -> str:
        """One line of JSON, as `ferry run --json` prints it."""
        out = ctypes.c_void_p()
        labels = None if self._labels is None else self._labels._use()
        lib.result_to_json(self._struct(), labels, None, ctypes.byref(out))
        return take_text(out)

    def to_dict(self) -> Dict[str, Any]:
        """The same as a dict."""
        return json.loads(self.to_json())

    def draw_array(self, picture: Any = None, line_px: int = 0, text_px: int = 0,
                   mask_alpha: float = 0.0) -> numpy.ndarray:
        """The picture (by default the one that this was found in) with the result drawn, uint8 [height, width, 3]."""
        picture = self._picture if picture is None else picture
        if picture is None:
            raise ValueError("say which picture to draw into: this result does not know its own")
        canvas = canvas_of(picture)
        options = _structs.DrawOptions(line_px=integer(line_px, "line_px", 0, U32),
                                       text_px=integer(text_px, "text_px", 0, U32), mask_alpha=float(mask_alpha))
        labels = None if self._labels is None else self._labels._use()
        lib.draw_result(ctypes.byref(to_c(canvas)), self._struct(), labels, ctypes.byref(options), None)
        return canvas

    def draw(self, picture: Any = None, **options: Any) -> Any:
        """The same as a PIL image (as an array where there is no PIL)."""
        return show(self.draw_array(picture, **options))

    def save(self, path: Any, picture: Any = None, **options: Any) -> None:
        """Writes the drawn picture as PNG or JPEG."""
        write_picture(path, self.draw_array(picture, **options))

    def _items(self) -> List[Any]:
        return {"classify": lambda: self.classes, "detect": lambda: self.detections,
                "segment": lambda: self.shares}.get(self.task, list)()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items())

    def __len__(self) -> int:
        return len(self._items())

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, index: Any) -> Any:
        return self._items()[index]

    def __str__(self) -> str:
        lines = []
        for item in self._items():
            name = item.label or "class %d" % item.index
            where = "  (%.0f, %.0f) - (%.0f, %.0f)" % item.box if isinstance(item, Detection) else ""
            lines.append("%7.4f  %s%s" % (item.score, name, where))
        return "\n".join(lines) or "nothing found"

    def __repr__(self) -> str:
        return "<ferry.Result, closed>" if self.closed else "<ferry.Result %s>" % self.to_json()[:400]


def _destroy(pointer: int) -> None:
    lib.result_destroy(ctypes.cast(pointer, ctypes.POINTER(_structs.Result)))
