# SPDX-License-Identifier: Apache-2.0
"""Accuracy over a cluster: hits are added up; boxes of all pictures come together, for average precision needs all."""
import csv
import ctypes
import os
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ferry import _structs
from ferry._errors import BadDataError, InternalError, InvalidArgumentError
from ferry._library import lib
from ferry._metrics import AveragePrecision, CocoTruth, Summary, TopK
from ferry.ray._cluster import Progress, answers, each_batch
from ferry.ray._run import engine_bytes, split_words
from ferry.ray._source import Source, of_list, open_source
from ferry.ray._worker import Evaluate, Shared


class Evaluation(NamedTuple("Evaluation", [("topk", Optional[TopK]), ("precision", Optional[Summary]),
                                           ("pictures", int), ("unreadable", List[str]), ("without_truth", int)])):
    """topk: of classifiers; precision: of detectors. unreadable: reasons, of pictures that were left out;
    without_truth: pictures of which the truth says nothing, left out too."""

    __slots__ = ()


def evaluate(engine: Any, pictures: Any = None, labels_csv: Any = None, coco: Any = None,
             label_column: Optional[str] = None, column: Optional[str] = None, part: int = 32, cpus: int = 1,
             retries: int = 10, progress: Any = None, **words: Any) -> Evaluation:
    """Top-1 and top-5, or mean average precision: what `ferry eval` gives on one machine.

    labels_csv: a CSV with the columns `file` (relative to it) and `class_index`. Or pictures, a dataset or Parquet
    files, with label_column, the column of class indices. Or pictures, a folder or list (or a dataset with a column
    "path" beside that of the bytes), with coco: a COCO instances JSON or a folder of YOLO label files.
    engine, column, part, cpus, retries, words: as for run(); boxes are decoded as `ferry eval` does: score threshold
    0.01, NMS at IoU 0.6, 100 boxes, several classes a box."""
    load, decode = split_words(words, cpus)
    if (labels_csv is not None) + (label_column is not None) + (coco is not None) != 1:
        raise InvalidArgumentError("one of labels_csv, label_column and coco says what is true")
    if (labels_csv is None) == (pictures is None):
        raise InvalidArgumentError("labels_csv names the pictures itself; with label_column and coco name them in "
                                   "pictures")
    truth = None if coco is None else CocoTruth(coco)
    opened, order, without = _open(pictures, labels_csv, truth, column, part)
    if label_column is not None and opened.listed:
        raise InvalidArgumentError("label_column '%s': pictures in a folder have no columns; use labels_csv"
                                   % label_column)
    label = None if truth is not None else label_column or "class_index"
    work = Evaluate(Shared(engine_bytes(engine)), load, dict(_eval_options(truth is not None), **decode), opened.column,
                    opened.listed, label)
    dataset = each_batch(opened, work, cpus, retries)
    counts, boxes, unreadable, given = TopK(), [], [], 0  # type: TopK, List[Any], List[str], int
    with Progress("evaluate", opened.total, progress, dataset) as shown:
        for some, failed, hits, found in answers(dataset):
            counts, given = counts + hits, given + some
            unreadable += failed
            boxes += found
            shown.add(some)
    if opened.total is not None and given != opened.total:
        raise InternalError("evaluation: %d pictures came back of %d" % (given, opened.total))
    if truth is None:
        return Evaluation(counts, None, counts.pictures, unreadable, 0)
    summary, unknown = _precision(truth, boxes, order)
    return Evaluation(None, summary, summary.picture_count, unreadable, without + unknown)


def _eval_options(detects: bool) -> Dict[str, Any]:
    """What ferry_decode_options_eval says, as words of a Decoder."""
    if not detects:
        return {"top_k": 5}
    options = _structs.DecodeOptions()
    lib.decode_options_eval(ctypes.byref(options))
    return {"score_threshold": options.score_threshold, "nms_iou": options.nms_iou, "max_det": options.max_det,
            "labels_per_box": {0: None, 1: "one", 2: "many"}[options.labels_per_box]}


def _open(pictures: Any, labels_csv: Any, truth: Optional[CocoTruth], column: Optional[str],
          part: int) -> Tuple[Source, Dict[str, int], int]:
    """The source, the place of each path in it, and how many pictures were left out for want of truth."""
    if labels_csv is not None:
        paths, classes = read_labels(labels_csv)
        return of_list(paths, part, classes), {}, 0
    opened = open_source(pictures, part, None, 0, column)
    if truth is None or not opened.listed:
        return opened, {}, 0
    paths = [path for row in opened.dataset.iter_rows() for path in row[opened.column]]
    known = [path for path in paths if truth.find(path) is not None]
    if not known:
        raise InvalidArgumentError("none of the %d pictures is in the truth, which goes by file names" % len(paths))
    return of_list(known, part), {path: i for i, path in enumerate(known)}, len(paths) - len(known)


def read_labels(path: Any) -> Tuple[List[str], List[int]]:
    """Paths and class indices of a labels CSV."""
    path = os.path.abspath(os.fspath(path))
    paths, classes = [], []
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        if not {"file", "class_index"} <= set(reader.fieldnames or ()):
            raise BadDataError("%s: the first line has to name the columns, 'file' and 'class_index' among them" % path)
        for row in reader:
            if not (row["class_index"] or "").isdigit() or not row["file"]:
                raise BadDataError("%s:%d: '%s', '%s' are no file and class index" % (path, reader.line_num,
                                                                                    row["file"], row["class_index"]))
            paths.append(os.path.join(os.path.dirname(path), row["file"]))
            classes.append(int(row["class_index"]))
    if not paths:
        raise BadDataError("%s: there is no picture in it" % path)
    return paths, classes


def _precision(truth: CocoTruth, boxes: List[Any], order: Dict[str, int]) -> Tuple[Summary, int]:
    """In the order in which one machine goes through the pictures: among boxes of the same score it decides."""
    precision, unknown = AveragePrecision(), 0
    for path, (width, height), found in sorted(boxes, key=lambda b: (order.get(b[0], 0), b[0])):
        number = truth.find(path)
        if number is None:
            unknown += 1
            continue
        precision.add(found, truth.boxes(number, width, height))
    return precision.summary(), unknown
