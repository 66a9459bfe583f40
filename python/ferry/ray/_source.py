# SPDX-License-Identifier: Apache-2.0
"""What the cluster works on: a ray.data.Dataset of parts, out of folders, lists, .npy and Parquet files or datasets."""
import glob
import os
from typing import Any, Dict, List, Optional, Sequence

import numpy
import ray.data

from ferry._errors import FileError, InvalidArgumentError
from ferry._pictures import SampleList

# Columns in which samples are looked for, in this order, where the caller names none.
COLUMNS = ("bytes", "image", "picture", "path", "file")
ITEMS, LABELS = "items", "labels"  # of rows that are parts of a list


class Source:
    """A dataset whose rows are samples, or whose rows are parts of a list of samples.

    total: samples, where that is known. batch_size: how many rows a task takes."""

    def __init__(self, dataset: Any, total: Optional[int], batch_size: int, column: str, listed: bool) -> None:
        self.dataset = dataset
        self.total = total
        self.batch_size = batch_size
        self.column = column
        self.listed = listed


def open_source(source: Any, part: int, count: Optional[int] = None, seed: int = 0,
                column: Optional[str] = None) -> Source:
    """part: samples in a task. count, seed: draw so many from a folder, list or .npy, as one machine does."""
    if part < 1:
        raise InvalidArgumentError("part is %d: a part holds at least one sample" % part)
    if isinstance(source, ray.data.Dataset):
        return of_dataset(source, part, column)
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError("a source is a folder, a list, a .npy or Parquet file or a ray.data.Dataset, not %s"
                        % type(source).__name__)
    # Workers have working folders of their own.
    path = os.fspath(source) if "://" in os.fspath(source) else os.path.abspath(os.fspath(source))
    if path.endswith(".parquet") or "://" in path or glob.glob(os.path.join(glob.escape(path), "*.parquet")):
        return of_dataset(ray.data.read_parquet(path), part, column)
    if not os.path.exists(path):
        raise FileError("%s: there is no such file or folder" % path)
    samples = SampleList(path, count, seed)
    rows = samples.rows
    return of_list(samples.paths if rows is None else ["%s#%d" % (p, r) for p, r in zip(samples.paths, rows)], part)


def of_list(items: Sequence[str], part: int, labels: Optional[Sequence[int]] = None) -> Source:
    """A source of paths, with their true classes if there are any. A row of a .npy file is FILE#ROW."""
    parts = [_part(items, labels, begin, begin + part) for begin in range(0, len(items), part)]
    dataset = ray.data.from_items(parts, override_num_blocks=max(len(parts), 1))
    return Source(dataset, len(items), 1, ITEMS, True)


def _part(items: Sequence[str], labels: Optional[Sequence[int]], begin: int, end: int) -> Dict[str, Any]:
    made = {ITEMS: list(items[begin:end])}  # type: Dict[str, Any]
    if labels is not None:
        made[LABELS] = list(labels[begin:end])
    return made


def of_dataset(dataset: Any, part: int, column: Optional[str]) -> Source:
    """A source of samples that lie in a column of a dataset."""
    if column is None:  # asking runs the beginning of the dataset
        names = list(dataset.schema().names)
        found = [name for name in COLUMNS if name in names] or (names if len(names) == 1 else [])
        if not found:
            raise InvalidArgumentError("which of the columns %s holds the samples? Say column=" % ", ".join(names))
        column = found[0]
    return Source(dataset, None, part, column, False)


def items_of(batch: Dict[str, Any], column: str, listed: bool) -> List[Any]:
    """The samples in a batch, as a worker gets it: paths, files as bytes, or arrays."""
    values = column_of(batch, column)
    return [str(item) for part in values for item in part] if listed else [_item(value, column) for value in values]


def column_of(batch: Dict[str, Any], name: str) -> Any:
    """A column, or an error that lists those there are."""
    if name not in batch:
        raise InvalidArgumentError("there is no column '%s'; there are %s" % (name, ", ".join(batch)))
    return batch[name]


def _item(value: Any, column: str) -> Any:
    if isinstance(value, dict):  # as the datasets library writes pictures
        value = value.get("bytes") if value.get("bytes") is not None else value.get("path")
    if isinstance(value, (bytes, str)):
        return value
    if isinstance(value, numpy.ndarray):
        return value
    raise InvalidArgumentError("column '%s' holds a %s: samples are pictures as bytes, paths, or arrays" % (
        column, type(value).__name__))
