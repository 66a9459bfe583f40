# SPDX-License-Identifier: Apache-2.0
"""Calibration over a cluster: each part's histograms are added up exactly, so the scales are one machine's."""
import os
import tempfile
from typing import Any, Dict, Optional, Tuple

import ferry
from ferry._errors import InternalError, InvalidArgumentError, UnsupportedError
from ferry._histograms import Histograms
from ferry._library import encode_path, lib
from ferry._preprocess import SETTINGS
from ferry._words import SHAPES, refuse_unknown
from ferry.ray._cluster import Progress, answers, each_batch
from ferry.ray._source import open_source
from ferry.ray._worker import Observe, Shared

# What of ferry.build()'s words decides about the values that calibration sees.
_SEEN = SHAPES + SETTINGS + ("preprocess", "device")


def observe(model: Any, source: Any, calib_count: int = 0, calib_seed: int = 0, column: Optional[str] = None,
            part: int = 32, cpus: int = 1, retries: int = 10, progress: Any = None, **words: Any) -> Histograms:
    """What is seen of each tensor when the model runs on all the samples: calibration's forward passes, on a cluster.

    source: a folder of pictures, a list or a .npy file (of these, calib_count samples are drawn with calib_seed as one
    machine draws them; 0: 500), a Parquet file or folder, or a ray.data.Dataset (all of it is used). column: which of
    its columns holds the samples: pictures as bytes, paths, or arrays.
    part: samples in a task; cpus: of a task; retries: how often a part may lose its worker.
    words: of ferry.build(): preprocess and its settings, shape, min_shape, ..., device."""
    refuse_unknown(words, _SEEN, "ray.observe")
    data, path, batch = _model_bytes(model)
    opened = open_source(source, _whole_batches(part, batch), calib_count, calib_seed, column)
    if not opened.listed and batch > 1:
        raise UnsupportedError("the model's batch is fixed at %d, and a dataset's blocks need not hold whole batches: "
                               "leave the batch open, or give a folder, list or .npy file" % batch)
    words["threads"] = cpus
    work = Observe(Shared(data), path, words, opened.column, opened.listed)
    dataset = each_batch(opened, work, cpus, retries)
    total, given = None, 0  # type: Optional[Histograms], int
    with Progress("calibrate", opened.total, progress, dataset) as shown:
        for some, data in answers(dataset):
            seen = Histograms.deserialize(data)
            total = seen if total is None else total.merge(seen)
            given += some
            shown.add(some)
    if total is None:
        raise InvalidArgumentError("calibration: the source holds no sample")
    if opened.total is not None and given != opened.total:
        raise InternalError("calibration: %d samples came back of %d" % (given, opened.total))
    return total


def _whole_batches(part: int, batch: int) -> int:
    return -(-part // batch) * batch


def _model_bytes(model: Any) -> Tuple[bytes, Optional[str], int]:
    """The model's bytes, where it lies (weights beside it are read there), and the batch that it fixes, else 1."""
    path = None
    if isinstance(model, (str, os.PathLike)):
        path = os.path.abspath(os.fspath(model))
        with open(path, "rb") as file:
            data = file.read()
    elif callable(getattr(model, "SerializeToString", None)):
        data = model.SerializeToString()
    elif isinstance(model, (bytes, bytearray, memoryview)):
        data = bytes(model)
    else:
        raise TypeError("a model is a path, bytes or an onnx.ModelProto, not %s" % type(model).__name__)
    with ferry.Network.parse(data, path) as network:
        sizes = [tensor.shape[0] for tensor in network.inputs if tensor.shape]
    return data, path, max(sizes + [1])


def calibrate(model: Any, source: Any, calib_algo: Optional[str] = None, calib_cache: Any = None,
              cache_version: Any = None, recalibrate: bool = False, **words: Any) -> str:
    """The text of a calibration cache: what ferry.Builder.calibrate() gives on one machine, to the bit.

    calib_algo: "entropy2", "mse", "entropy", "minmax", "percentile[:P]"; not "auto", which looks at outputs.
    calib_cache: a file: read where it exists (unless recalibrate), else written. words: of observe()."""
    if calib_cache is not None and os.path.exists(calib_cache) and not recalibrate:
        with open(calib_cache, encoding="utf-8") as file:
            return file.read()
    if calib_algo == "auto":
        raise UnsupportedError("calib_algo 'auto' compares the network's outputs, and the cluster's parts bring back "
                               "histograms only: name one algorithm, or calibrate on one machine")
    text = observe(model, source, **words).cache(calib_algo, cache_version)
    if calib_cache is not None:
        data = text.encode("utf-8")
        lib.file_write(encode_path(calib_cache), data, len(data))
    return text


_CLUSTER = ("column", "part", "cpus", "retries", "calib_count", "calib_seed", "calib_algo", "calib_cache",
            "cache_version", "recalibrate")


def build(model: Any, output: Any = None, calib: Any = None, **words: Any) -> Any:
    """ferry.build() with int8=True whose calibration runs on the cluster; tactics are timed here.

    words: those of ferry.build(), and of observe() and calibrate()."""
    if calib is None:
        raise InvalidArgumentError("calib names the samples; without calibration ferry.build() is the function")
    ours = {name: words.pop(name) for name in _CLUSTER if name in words}  # type: Dict[str, Any]
    seen = {name: words[name] for name in _SEEN if name in words}
    seen["progress"] = words.get("progress")
    with tempfile.TemporaryDirectory(prefix="ferry-ray-") as folder:
        cache = ours.setdefault("calib_cache", os.path.join(folder, "calibration.cache"))
        calibrate(model, calib, **dict(ours, **seen))
        return ferry.build(model, output, calib_cache=cache, **dict(words, int8=True))
