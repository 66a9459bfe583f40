# SPDX-License-Identifier: Apache-2.0
"""What runs in the cluster's workers. Models and engines come through Ray's object store, once to each process."""
import hashlib
import os
import pickle
import tempfile
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

import numpy
import ray

import ferry
from ferry._errors import BadDataError, Error, FileError, UnavailableError, UnsupportedError
from ferry._oneliners import _fitted as fitted
from ferry._words import config_of, preprocess_in
from ferry.ray._source import LABELS, column_of, items_of

_opened = {}  # type: Dict[Any, Any]


class Shared:
    """Bytes that many workers need. open() makes an object of them, which the process then keeps, the last one only."""

    def __init__(self, data: bytes) -> None:
        self.key = hashlib.sha256(data).hexdigest()
        self.reference = ray.put(data)
        self.version = ferry.__version__

    def open(self, make: Callable[..., Any], *args: Any) -> Any:
        """make(bytes, *args), or what it made for the same arguments before."""
        if self.version != ferry.__version__:
            raise UnavailableError("node %s has ferry %s, and this work comes from ferry %s: install one version on all"
                                   % (ray.util.get_node_ip_address(), ferry.__version__, self.version))
        key = (self.key, make, pickle.dumps(args))
        if key not in _opened:
            _opened.clear()
            _opened[key] = make(ray.get(self.reference), *args)
        return _opened[key]


def on_this_node(path: str) -> str:
    """The path, if there is such a file here. A picture that one node lacks must not count as one that is damaged."""
    if not os.path.exists(path):
        raise FileError("%s is not on node %s: put samples on storage that all nodes see, or give a ray.data.Dataset "
                        "that reads them, such as ray.data.read_binary_files(...)" % (
                            path, ray.util.get_node_ip_address()))
    return path


def array_at(item: str) -> numpy.ndarray:
    """A row of a .npy file, from FILE#ROW."""
    path, row = item.rsplit("#", 1)
    return numpy.load(on_this_node(path), mmap_mode="r")[int(row)]


def is_row(item: Any) -> bool:
    """Whether an item names a row of a .npy file."""
    return isinstance(item, str) and ".npy#" in item


def answer(work: Callable[[], Any]) -> Dict[str, Any]:
    """A row with what `work` returns, or with the ferry.Error that it raises: Ray would leave of it only the text."""
    try:
        result = work()
    except Error as error:
        result = error
    return {"answer": [pickle.dumps(result)]}


# --- Calibration ---------------------------------------------------------------------------------------------------

class Observe:
    """Batches of samples to histograms: one row for each batch."""

    def __init__(self, model: Shared, path: Optional[str], words: Dict[str, Any], column: str, listed: bool) -> None:
        self.model, self.path, self.words, self.column, self.listed = model, path, words, column, listed

    def __call__(self, batch: Dict[str, Any]) -> Dict[str, Any]:
        return answer(lambda: self._observe(batch))

    def _observe(self, batch: Dict[str, Any]) -> Tuple[int, bytes]:
        items = items_of(batch, self.column, self.listed)
        builder, network, config = self.model.open(_network, self.words, self.path)
        with tempfile.TemporaryDirectory(prefix="ferry-ray-") as folder:
            config.calibration = _calibration(items, folder)
            return len(items), builder.observe(network, config).serialize()


def _network(data: bytes, words: Dict[str, Any], path: Optional[str]) -> Tuple[Any, Any, Any]:
    network, runtime = ferry.Network.parse(data, path), ferry.default_runtime(words.get("device"))
    return ferry.Builder(runtime), network, build_config(words, runtime, network)


def build_config(words: Dict[str, Any], runtime: Any, network: Any) -> Any:
    """The configuration that ferry.build() would use."""
    config, preprocess = config_of(words, runtime), preprocess_in(words)
    if preprocess is not None:
        config.preprocess = fitted(preprocess, network)
    return config


def _calibration(items: List[Any], folder: str) -> Any:
    """Pictures go the way that one machine takes, as files that C reads; so the values are the same."""
    if isinstance(items[0], numpy.ndarray):
        return ferry.Calibration([numpy.asarray(item) for item in items])
    if is_row(items[0]):
        return ferry.Calibration([array_at(item) for item in items])
    paths = []
    for i, item in enumerate(items):
        if isinstance(item, bytes):
            paths.append(os.path.join(folder, "%08d" % i))
            with open(paths[-1], "wb") as file:
                file.write(item)
        else:
            paths.append(os.path.abspath(on_this_node(item)))
    listing = os.path.join(folder, "list.txt")
    with open(listing, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write("\n".join(paths) + "\n")
    return ferry.Calibration(listing, count=len(paths))


# --- Running -------------------------------------------------------------------------------------------------------

def _model(data: bytes, words: Dict[str, Any]) -> Any:
    return ferry.load(data, **words)


def _read(item: Any) -> Union[numpy.ndarray, str]:
    """A sample as an array; why it can't be read where it is damaged: one picture of a million stops nothing."""
    if isinstance(item, numpy.ndarray):
        return item
    if is_row(item):
        return array_at(item)
    try:
        return ferry.read_picture(item if isinstance(item, bytes) else on_this_node(item))
    except (BadDataError, UnsupportedError) as reason:
        return str(reason)


class Run:
    """Adds to each row what the engine makes of it: "result" as JSON, or of a raw task its outputs as columns."""

    def __init__(self, engine: Shared, words: Dict[str, Any], decode: Dict[str, Any], column: str,
                 listed: bool) -> None:
        self.engine, self.words, self.decode, self.column, self.listed = engine, words, decode, column, listed

    def __call__(self, batch: Dict[str, Any]) -> Dict[str, Any]:
        items = items_of(batch, self.column, self.listed)
        model = self.engine.open(_model, self.words)
        results, errors = [], []
        for item in items:
            array = _read(item)
            failed = isinstance(array, str)
            errors.append(array if failed else None)
            results.append({} if failed else _run_one(model, array, self.decode))
        made = {"path": items} if self.listed else dict(batch)  # type: Dict[str, Any]
        for name in ["result"] if model.decoder is not None else [b.name for b in model.engine.outputs]:
            made[name] = _column([result.get(name) for result in results])
        made["error"] = _column(errors)
        return made


def _run_one(model: Any, array: numpy.ndarray, decode: Dict[str, Any]) -> Dict[str, Any]:
    """uint8 arrays that the engine takes for pictures are pictures; others are its input already."""
    if model._is_picture(array):
        found = model.run_pictures([array], **({} if model.decoder is None else decode))[0]
        return found if model.decoder is None else {"result": found.to_json()}
    binding = model.engine.inputs[0]
    if array.ndim == len(binding.shape) - 1:
        array = array[None]
    outputs = model.context.run(numpy.ascontiguousarray(array, binding.dtype))
    if model.decoder is None:
        return {name: value[0] if value.shape[:1] == (1,) else value for name, value in outputs.items()}
    geometry = model.preprocess.plan(*model.input_size)
    return {"result": model.decoder(outputs, geometry, model.labels, **decode).to_json()}


def _column(values: List[Any]) -> numpy.ndarray:
    """A column of a batch: arrays of one shape as a tensor, anything else as objects."""
    if all(isinstance(v, numpy.ndarray) for v in values) and len({(v.shape, v.dtype) for v in values}) == 1:
        return numpy.stack(values)
    made = numpy.empty(len(values), object)
    for i, value in enumerate(values):
        made[i] = value
    return made


# --- Evaluation ----------------------------------------------------------------------------------------------------

class Evaluate:
    """Batches of pictures to what was found in them: for classifiers counts of hits, for detectors the boxes."""

    def __init__(self, engine: Shared, words: Dict[str, Any], decode: Dict[str, Any], column: str, listed: bool,
                 label: Optional[str]) -> None:
        self.engine, self.words, self.decode, self.column, self.listed = engine, words, decode, column, listed
        self.label = LABELS if listed and label is not None else label

    def __call__(self, batch: Dict[str, Any]) -> Dict[str, Any]:
        return answer(lambda: self._evaluate(batch))

    def _evaluate(self, batch: Dict[str, Any]) -> Tuple[int, List[str], ferry.TopK, List[Any]]:
        items = items_of(batch, self.column, self.listed)
        paths = items if self.listed else [str(p) for p in batch.get("path", [""] * len(items))]
        model = self.engine.open(_model, self.words)
        counts, boxes, unreadable = ferry.TopK(), [], []
        classes = self._classes(batch)
        for i, item in enumerate(items):
            picture = _read(item)
            if isinstance(picture, str):
                unreadable.append(picture)
                continue
            result = model.run_pictures([picture], **self.decode)[0]
            if classes is not None:
                counts.add(result, classes[i])
            else:
                boxes.append((paths[i], (picture.shape[1], picture.shape[0]), list(result)))
        return len(items), unreadable, counts, boxes

    def _classes(self, batch: Dict[str, Any]) -> Optional[List[int]]:
        if self.label is None:
            return None
        return [int(k) for part in column_of(batch, self.label) for k in (part if self.listed else [part])]
