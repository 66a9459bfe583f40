# SPDX-License-Identifier: Apache-2.0
"""Bulk inference: a dataset of samples to a dataset of results."""
import os
from typing import Any, Dict, Optional

from ferry._engine import Engine
from ferry._model import Model
from ferry.ray._cluster import each_batch
from ferry.ray._source import open_source
from ferry.ray._worker import Run, Shared

_LOAD = ("device", "task", "labels", "class_offset", "decoder", "preprocess")
_DECODE = ("top_k", "score_threshold", "nms_iou", "max_det", "max_candidates", "labels_per_box")


def engine_bytes(engine: Any) -> bytes:
    """Of a path, bytes, an Engine or a Model; the latter with its decoder and labels."""
    if isinstance(engine, Model):
        engine.store()
        engine = engine.engine
    if isinstance(engine, Engine):
        return engine.serialize()
    if isinstance(engine, (bytes, bytearray, memoryview)):
        return bytes(engine)
    with open(os.fspath(engine), "rb") as file:
        return file.read()


def split_words(words: Dict[str, Any], cpus: int) -> Any:
    """Options of ferry.load(), and of decoding."""
    unknown = sorted(set(words) - set(_LOAD + _DECODE))
    if unknown:
        raise TypeError("there is no option '%s'; there are %s" % ("', '".join(unknown), ", ".join(_LOAD + _DECODE)))
    load = {name: words[name] for name in _LOAD if words.get(name) is not None}
    return dict(load, threads=cpus), {name: words[name] for name in _DECODE if words.get(name) is not None}


def run(engine: Any, source: Any, column: Optional[str] = None, part: int = 32, cpus: int = 1, retries: int = 10,
        progress: Optional[bool] = None, **words: Any) -> Any:
    """A ray.data.Dataset with a row for each sample: its columns (of files: "path"), what was found, and "error".

        ferry.ray.run("m.engine", "/nfs/pictures").write_json("/nfs/results")

    What was found is the column "result", JSON as `ferry run --json` prints of a picture; of an engine whose outputs
    stay raw tensors a column for each output. A damaged picture has none, and the reason in "error".
    engine: a path, bytes, a ferry.Engine or ferry.Model. source, column, part, cpus, retries: as for observe().
    words: task, decoder, labels, preprocess, class_offset, device; top_k, score_threshold, nms_iou, max_det, ...
    Nothing runs before the dataset is used, and rows come in the order in which parts are done. progress: Ray Data's
    own bars, which are shown by default."""
    load, decode = split_words(words, cpus)
    opened = open_source(source, part, column=column)
    work = Run(Shared(engine_bytes(engine)), load, decode, opened.column, opened.listed)
    dataset = each_batch(opened, work, cpus, retries)
    if progress is not None:
        dataset.context.enable_progress_bars = bool(progress)
    return dataset
