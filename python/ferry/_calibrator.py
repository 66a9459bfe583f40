# SPDX-License-Identifier: Apache-2.0
"""Where INT8 scales come from: a source of samples on disk, a Calibrator class, or any iterable of arrays."""
import ctypes
import os
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple, Union

import numpy

from ferry import _structs
from ferry._callbacks import Guard
from ferry._errors import InvalidArgumentError
from ferry._library import I32, U32, U64, decode, encode, encode_optional, encode_path, integer, lib
from ferry._types import DataType, Shape

_FLOATS = (DataType.F32, DataType.F16, DataType.BF16, DataType.F64)
_DEFAULT, _ENTROPY2, _ENTROPY, _MINMAX, _PERCENTILE, _MSE, _AUTO = range(7)

Sample = Tuple[str, Shape, numpy.dtype]


class Calibrator:
    """A source of samples of one's own, with the methods of TensorRT's IInt8EntropyCalibrator2. Override get_batch().

    What a method raises stops the build and reaches its caller."""

    def get_batch_size(self) -> int:
        """Samples in each batch."""
        return 1

    def get_batch(self, names: List[str]) -> Union[None, numpy.ndarray, Sequence[Any], Dict[str, Any]]:
        """The next batch: an array for each input, in the order of `names` or by name; None when there is none left.
        Floating-point inputs take float32, whatever their own type."""
        raise NotImplementedError("a Calibrator needs a get_batch()")

    def read_calibration_cache(self) -> Union[None, bytes, str]:
        """The text of a calibration cache, which then serves instead of batches; None to calibrate."""
        return None

    def write_calibration_cache(self, cache: bytes) -> None:
        """Gets the text of a new cache."""

    def get_algorithm(self) -> Optional[str]:
        """"mse", "entropy2", "entropy", "minmax", "percentile" or "auto"; None: what the options say."""
        return None


class Samples(Calibrator):
    """A Calibrator of any iterable: of arrays (each one sample, or a batch of them), or for several inputs of tuples
    or dicts of such."""

    def __init__(self, samples: Iterable[Any]) -> None:
        self._samples = iter(samples)
        self._waiting: List[List[numpy.ndarray]] = []
        self.inputs: List[Sample] = []  # set by whoever builds

    def get_batch(self, names: List[str]) -> Optional[List[numpy.ndarray]]:
        """One sample at a time, whatever the iterable's batches are."""
        while not self._waiting:
            try:
                item = next(self._samples)
            except StopIteration:
                return None
            self._waiting = self._split(item, names)
        return self._waiting.pop(0)

    def _split(self, item: Any, names: List[str]) -> List[List[numpy.ndarray]]:
        arrays = [convert(a, i) for a, i in zip(in_order(item, names), self.inputs)]
        counts = set()
        for array, (name, shape, _dtype) in zip(arrays, self.inputs):
            each = max(int(numpy.prod(shape, dtype=numpy.int64)), 1)
            if array.size == 0 or array.size % each:
                raise InvalidArgumentError("calibration: an array of shape %s is given for input '%s', whose samples "
                                           "are %s" % (list(array.shape), name, list(shape)))
            counts.add(array.size // each)
        if len(counts) != 1:
            raise InvalidArgumentError("calibration: the inputs' arrays hold different numbers of samples: %s"
                                       % ", ".join(map(str, sorted(counts))))
        count = counts.pop()
        parts = [array.reshape(count, -1) for array in arrays]
        return [[part[i] for part in parts] for i in range(count)]


def in_order(item: Any, names: List[str]) -> List[Any]:
    """One batch's arrays in the order of the inputs."""
    if isinstance(item, dict):
        missing = [n for n in names if n not in item]
        if missing:
            raise InvalidArgumentError("calibration: no data for input '%s'" % "', '".join(missing))
        return [item[n] for n in names]
    arrays = list(item) if isinstance(item, (list, tuple)) else [item]
    if len(arrays) != len(names):
        raise InvalidArgumentError("calibration: %d arrays for %d inputs (%s)" % (len(arrays), len(names),
                                                                                  ", ".join(names)))
    return arrays


def convert(array: Any, sample: Sample) -> numpy.ndarray:
    """A dense array of the type that C wants: floats become float32, other types must be right."""
    name, _shape, dtype = sample
    made = numpy.asarray(array)
    if made.dtype != dtype:
        if dtype != numpy.float32 or made.dtype.kind not in "fiu" and made.dtype.name != "bfloat16":
            raise InvalidArgumentError("calibration: input '%s' takes %s, not %s" % (name, dtype, made.dtype))
        made = made.astype(numpy.float32)
    return numpy.require(made, requirements=["C", "A"])


class CCalibrator:
    """A Calibrator as C sees it, for one build."""

    def __init__(self, calibrator: Calibrator, inputs: List[Sample]) -> None:
        self.guard = guard = Guard()
        self._calibrator = calibrator
        self._inputs = inputs
        self._batch_size = 1
        self._kept: List[Any] = []
        if isinstance(calibrator, Samples):
            calibrator.inputs = inputs
        self.struct = _structs.Calibrator(
            get_batch_size=_structs.BatchSizeFn(lambda _user: guard.call(0, self._size)),
            get_batch=_structs.BatchFn(
                lambda _user, bindings, names, count, error: guard.call(-1, self._batch, bindings, names, count)),
            read_calibration_cache=_structs.ReadCacheFn(lambda _user, length: guard.call(None, self._read, length)),
            write_calibration_cache=_structs.WriteCacheFn(
                lambda _user, text, length: guard.call(None, self._write, text, length)),
            # Ends the build at once; what was raised is raised again when C has returned.
            get_failure=_structs.FailureFn(lambda _user, _error: int(bool(guard.pending))))
        if calibrator.get_algorithm() is not None:
            self.struct.get_algorithm = _structs.AlgorithmFn(lambda _user: guard.call(_DEFAULT, self._algorithm))

    def _size(self) -> int:
        self._batch_size = integer(self._calibrator.get_batch_size(), "the calibrator's batch size", 1, I32)
        return self._batch_size

    def _batch(self, bindings: Any, names: Any, count: int) -> int:
        wanted = [decode(names[i]) or "" for i in range(count)]
        batch = self._calibrator.get_batch(wanted)
        if batch is None:
            return 0
        by_name = {sample[0]: sample for sample in self._inputs}
        self._kept = [convert(a, by_name[n]) for n, a in zip(wanted, in_order(batch, wanted))]
        for i, (name, array) in enumerate(zip(wanted, self._kept)):
            shape = by_name[name][1]
            elements = self._batch_size * int(numpy.prod(shape, dtype=numpy.int64))
            if array.size != elements:
                raise InvalidArgumentError("calibration: a batch of %d samples of input '%s' has %d elements (%s each)"
                                           ", and %d were given" % (self._batch_size, name, elements, list(shape),
                                                                    array.size))
            bindings[i] = array.ctypes.data
        return 1

    def _read(self, length: Any) -> Optional[int]:
        cache = self._calibrator.read_calibration_cache()
        if cache is None:
            return None
        text = cache.encode("utf-8") if isinstance(cache, str) else bytes(cache)
        if not text:
            return None
        self._cache = ctypes.create_string_buffer(text, len(text) + 1)
        length[0] = len(text)
        return ctypes.addressof(self._cache)

    def _write(self, text: int, length: int) -> None:
        self._calibrator.write_calibration_cache(ctypes.string_at(text, length))

    def _algorithm(self) -> int:
        return parse_algorithm(self._calibrator.get_algorithm())[0]


def parse_algorithm(name: Optional[str]) -> Tuple[int, float]:
    """C's number for an algorithm's name, and the percentile of "percentile:P"."""
    if name is None:
        return _DEFAULT, 0.0
    algorithm, percentile = ctypes.c_int(), ctypes.c_double()
    lib.calibration_algorithm_parse(encode(name, "the algorithm"), ctypes.byref(algorithm), ctypes.byref(percentile))
    return algorithm.value, percentile.value


class Calibration:
    """Where a build's INT8 scales come from.

    source: a folder of pictures, a list file (.txt), samples (.npy, float32 [N, ...]), a Calibrator, or an iterable
    of arrays. count, seed: how many samples are drawn from a folder, list or .npy, and how (0: 500, or all).
    batch: samples run at a time: memory and speed only, never the scales.
    algorithm: "entropy2" (default), "entropy", "minmax", "percentile", "percentile:99.9", "mse" or "auto".
    cache: a TensorRT calibration cache: read where the file exists, else written. recalibrate: rewrite it."""

    def __init__(self, source: Any = None, count: int = 0, seed: int = 0, batch: int = 0,
                 algorithm: Optional[str] = None, cache: Any = None, cache_version: Any = None,
                 recalibrate: bool = False, threads: int = 0) -> None:
        self.source = source
        self.count = integer(count, "count", 0, U32)
        self.seed = integer(seed, "seed", 0, U64)
        self.batch = integer(batch, "batch", 0, U32)
        parse_algorithm(algorithm)
        self.algorithm = algorithm
        self.cache = cache
        self.cache_version = None if cache_version is None else str(cache_version)
        self.recalibrate = bool(recalibrate)
        self.threads = integer(threads, "threads", 0, I32)

    def to_c(self, inputs: List[Sample]) -> Tuple[Any, Optional[CCalibrator]]:
        """The C struct, and the callbacks if there are any; keep both while C uses them."""
        algorithm, percentile = parse_algorithm(self.algorithm)
        options = _structs.CalibrationOptions(
            algorithm=algorithm, percentile=percentile, count=self.count, seed=self.seed, batch=self.batch,
            cache_path=None if self.cache is None else encode_path(self.cache, "cache"),
            cache_version=encode_optional(self.cache_version, "cache_version"), threads=self.threads,
            recalibrate=self.recalibrate)
        if self.source is None:
            return options, None
        if isinstance(self.source, (str, bytes, os.PathLike)):
            options.source = encode_path(self.source, "the source")
            return options, None
        made = CCalibrator(calibrator_of(self.source), inputs)
        options.calibrator = ctypes.pointer(made.struct)
        return options, made


def calibrator_of(source: Any) -> Calibrator:
    """A Calibrator of what callers give: one, anything with its get_batch(), an array of samples, or an iterable."""
    if isinstance(source, Calibrator):
        return source
    if callable(getattr(source, "get_batch", None)):
        return _Adapter(source)
    if isinstance(source, numpy.ndarray):
        return Samples([source])
    try:
        return Samples(source)
    except TypeError:
        raise TypeError("calibration takes a path, a ferry.Calibrator or an iterable of arrays, not %s"
                        % type(source).__name__) from None


class _Adapter(Calibrator):
    """An object with get_batch() and some of the other methods."""

    def __init__(self, source: Any) -> None:
        for name in ("get_batch_size", "get_batch", "read_calibration_cache", "write_calibration_cache",
                     "get_algorithm"):
            if callable(getattr(source, name, None)):
                setattr(self, name, getattr(source, name))


def sample_type(data_type: DataType) -> numpy.dtype:
    """What C wants samples of an input in: float32 for every floating-point input, else its own type."""
    return numpy.dtype(numpy.float32) if data_type in _FLOATS else data_type.numpy
