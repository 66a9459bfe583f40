# SPDX-License-Identifier: Apache-2.0
"""What calibration has seen of a network's tensors: parts that several processes or machines saw, added up exactly."""
import ctypes
from typing import Any, Iterator, NamedTuple, Optional

import numpy

from ferry import _structs
from ferry._calibrator import parse_algorithm
from ferry._callbacks import guarded
from ferry._errors import InvalidArgumentError
from ferry._handles import Exclusive, Handle
from ferry._library import decode, encode, encode_path, integer, lib, take_bytes_text
from ferry._logger import CLogger, logger_of

HistogramInfo = NamedTuple("HistogramInfo", [
    ("name", str), ("min", float), ("max", float), ("finite_count", int), ("zero_count", int), ("nan_count", int),
    ("infinite_count", int)])
HistogramInfo.__doc__ = "What was seen of a tensor. min and max are of the finite values; 0 when there was none."


class Histograms(Handle):
    """A histogram of |x| for each float tensor of a network: Builder.observe(), Histograms.load(path), or from bytes.

        total = parts[0]
        for part in parts[1:]:
            total.merge(part)           # exact: neither order nor splitting matters, to the bit
        cache = total.cache("entropy2")  # what Builder.calibrate() gives that saw all samples

    It can be pickled, to travel between processes."""

    _survives_fork = True

    def __init__(self) -> None:
        raise TypeError("Histograms are made by Builder.observe(), Histograms.load() or Histograms.deserialize()")

    @classmethod
    def _of(cls, out: ctypes.c_void_p) -> "Histograms":
        made = cls.__new__(cls)
        made._adopt(out, lib.histograms_release)
        made._exclusive = Exclusive("histograms")
        return made

    @classmethod
    def load(cls, path: Any) -> "Histograms":
        """From a file."""
        out = ctypes.c_void_p()
        lib.histograms_load(encode_path(path), None, ctypes.byref(out))
        return cls._of(out)

    @classmethod
    def deserialize(cls, data: Any) -> "Histograms":
        """From bytes, or anything with the buffer protocol."""
        raw = numpy.frombuffer(data, numpy.uint8) if len(memoryview(data)) else numpy.empty(0, numpy.uint8)
        out = ctypes.c_void_p()
        lib.histograms_deserialize(raw.ctypes.data, raw.nbytes, None, ctypes.byref(out))
        return cls._of(out)

    def save(self, path: Any) -> None:
        """Writes a file: whole, or not at all."""
        with self._exclusive:
            lib.histograms_save(self._use(), encode_path(path))

    def serialize(self) -> bytes:
        """The file's bytes; the same histograms give the same."""
        data, nbytes = ctypes.c_void_p(), ctypes.c_size_t()
        with self._exclusive:
            lib.histograms_serialize(self._use(), ctypes.byref(data), ctypes.byref(nbytes))
        try:
            return ctypes.string_at(data, nbytes.value)
        finally:
            lib.bytes_free(data, nbytes)

    def merge(self, other: "Histograms") -> "Histograms":
        """Adds what the other has seen, which stays as it is; returns self. Refused, with the difference, when they
        are of different models, preprocessings, shapes or tensors."""
        if not isinstance(other, Histograms):
            raise TypeError("merge() takes ferry.Histograms, not %s" % type(other).__name__)
        if other is self:
            raise InvalidArgumentError("histograms can't be merged with themselves: each sample would count twice")
        # Two merges in opposite directions at once must not wait for each other.
        first, second = sorted((self, other), key=id)
        with first._exclusive, second._exclusive:
            lib.histograms_merge(self._use(), other._use())
        return self

    def cache(self, algorithm: Optional[str] = None, cache_version: Any = None, logger: Any = None) -> str:
        """Chooses scales; returns the text of a TensorRT calibration cache. algorithm: "entropy2" (default),
        "entropy", "minmax", "percentile", "percentile:99.9" or "mse"."""
        number, percentile = parse_algorithm(algorithm)
        c_logger, text = CLogger(logger_of(logger)), ctypes.c_void_p()
        version = None if cache_version is None else encode(str(cache_version), "cache_version")
        with self._exclusive:
            guarded([c_logger.guard], lib.histograms_cache, self._use(), number, percentile, version,
                    ctypes.byref(c_logger.struct), ctypes.byref(text))
        return take_bytes_text(text)

    @property
    def sample_count(self) -> int:
        """Samples that were seen."""
        with self._exclusive:
            return lib.histograms_sample_count(self._use())

    def __len__(self) -> int:
        with self._exclusive:
            return lib.histograms_tensor_count(self._use())

    def __getitem__(self, index: int) -> HistogramInfo:
        count, info = len(self), _structs.HistogramInfo()
        number = integer(index, "index", -(1 << 62), 1 << 62)
        if not 0 <= number < count:
            raise IndexError("tensor %d of %d" % (number, count))
        with self._exclusive:
            lib.histograms_tensor(self._use(), number, ctypes.byref(info))
            return HistogramInfo(decode(info.name) or "", info.min, info.max, info.finite_count, info.zero_count,
                                 info.nan_count, info.infinite_count)

    def __iter__(self) -> Iterator[HistogramInfo]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return True

    def __reduce__(self) -> Any:
        return Histograms.deserialize, (self.serialize(),)

    def __repr__(self) -> str:
        return "<ferry.Histograms, closed>" if self.closed else "<ferry.Histograms: %d samples, %d tensors>" % (
            self.sample_count, len(self))
