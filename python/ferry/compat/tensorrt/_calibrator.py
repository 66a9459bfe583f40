# SPDX-License-Identifier: Apache-2.0
"""Calibrators: TensorRT's base classes, and how a subclass that hands out device pointers serves ferry."""
from typing import Any, Dict, List, Optional

import numpy

import ferry
from ferry.compat import _device
from ferry.compat._offered import Shim
from ferry.compat.tensorrt._enums import CalibrationAlgoType

Algo = CalibrationAlgoType


class IInt8Calibrator(Shim):
    """Where INT8 ranges come from. Subclass one of the classes below and define get_batch_size() and get_batch()."""

    def __init__(self) -> None:
        pass

    def get_algorithm(self) -> CalibrationAlgoType:
        """Which algorithm it is for."""
        raise NotImplementedError("%s derives from IInt8Calibrator itself and needs a get_algorithm()"
                                  % type(self).__name__)

    def get_batch_size(self) -> int:
        """Samples in each batch."""
        raise NotImplementedError("a calibrator needs a get_batch_size()")

    def get_batch(self, names: List[str]) -> Optional[List[Any]]:
        """Device addresses of the next batch, one for each input in the order of `names`; None or [] at the end."""
        raise NotImplementedError("a calibrator needs a get_batch(names)")

    def read_calibration_cache(self) -> Optional[bytes]:
        """The text of a calibration cache, or None to calibrate."""
        return None

    def write_calibration_cache(self, cache: memoryview) -> None:
        """Gets the text of a new cache."""


class IInt8EntropyCalibrator2(IInt8Calibrator):
    """Least divergence; for networks on pictures."""

    def get_algorithm(self) -> CalibrationAlgoType:
        """ENTROPY_CALIBRATION_2."""
        return Algo.ENTROPY_CALIBRATION_2


class IInt8EntropyCalibrator(IInt8Calibrator):
    """Least divergence as it was first published."""

    def get_algorithm(self) -> CalibrationAlgoType:
        """ENTROPY_CALIBRATION."""
        return Algo.ENTROPY_CALIBRATION


class IInt8MinMaxCalibrator(IInt8Calibrator):
    """All that was seen; for networks on language."""

    def get_algorithm(self) -> CalibrationAlgoType:
        """MINMAX_CALIBRATION."""
        return Algo.MINMAX_CALIBRATION


class IInt8LegacyCalibrator(IInt8Calibrator):
    """A quantile that the script chooses. Its regression cutoff and histogram caches are not asked for."""

    def get_algorithm(self) -> CalibrationAlgoType:
        """LEGACY_CALIBRATION."""
        return Algo.LEGACY_CALIBRATION

    def get_quantile(self) -> float:
        """The share of values that lie within the range, in (0, 1]."""
        return 0.9999


def algorithm_of(calibrator: IInt8Calibrator) -> str:
    """ferry's name of the calibrator's algorithm."""
    algorithm = calibrator.get_algorithm()
    if algorithm == Algo.LEGACY_CALIBRATION:
        return "percentile:%.9g" % (100.0 * calibrator.get_quantile())
    return {Algo.ENTROPY_CALIBRATION: "entropy", Algo.ENTROPY_CALIBRATION_2: "entropy2",
            Algo.MINMAX_CALIBRATION: "minmax"}[CalibrationAlgoType(int(algorithm))]


class FromDevice(ferry.Calibrator):
    """A script's calibrator as ferry takes one: what it hands out on the device is copied back, sample by sample.

    samples: what ferry wants of each input: name, shape, type. batches: how many of them the best shape of an input
    with an open batch holds."""

    def __init__(self, calibrator: IInt8Calibrator, samples: List[Any], batches: Dict[str, int]) -> None:
        self._calibrator, self._batches = calibrator, batches
        self._samples = {name: (tuple(shape), numpy.dtype(dtype)) for name, shape, dtype in samples}
        self._waiting: List[Dict[str, numpy.ndarray]] = []
        self.algorithm = algorithm_of(calibrator)
        self.raised: Optional[BaseException] = None

    def get_batch_size(self) -> int:
        """One: batches are taken apart here."""
        return 1

    def _ask(self, function: Any, *args: Any) -> Any:
        try:
            return function(*args)
        except BaseException as error:  # to be told apart from errors of the build
            self.raised = error
            raise

    def get_batch(self, names: List[str]) -> Optional[Dict[str, numpy.ndarray]]:
        """The next sample."""
        if not self._waiting:
            addresses = self._ask(self._calibrator.get_batch, names)
            if addresses is None or len(addresses) == 0:
                return None
            if len(addresses) != len(names):
                raise ferry.InvalidArgumentError("%s.get_batch() returned %d addresses for %d inputs (%s)" % (
                    type(self._calibrator).__name__, len(addresses), len(names), ", ".join(names)))
            self._waiting = self._fetch(dict(zip(names, (int(a) for a in addresses))))
        return self._waiting.pop(0)

    def _fetch(self, addresses: Dict[str, int]) -> List[Dict[str, numpy.ndarray]]:
        """Copies a batch from the device. What the script has queued, it may not have waited for."""
        count = self._count(addresses)
        arrays = {}
        for name, address in addresses.items():
            shape, dtype = self._samples[name]
            arrays[name] = numpy.empty((count,) + shape, dtype)
            _device.copy_from_device(arrays[name], address)
        _device.synchronize()
        return [{name: array[i] for name, array in arrays.items()} for i in range(count)]

    def _count(self, addresses: Dict[str, int]) -> int:
        """Samples in the batch: what the calibrator says, or, where it says 1 of a network with an open batch, as many
        as the profile's best shape has. Of a network that has the batch in its shape, one sample is a batch already;
        scripts that calibrate such a network of batch 1 with larger batches get all of them used. The memory that is
        handed out is never read past its end."""
        size = int(self._ask(self._calibrator.get_batch_size))
        counts = []
        for name, address in addresses.items():
            shape, dtype = self._samples[name]
            each = shape[0] if shape and shape[0] > 0 else 1
            count = size // each if size > 1 and size % each == 0 else self._batches.get(name, 1)
            found = _device.find(address)
            if found is not None:
                nbytes = int(numpy.prod(shape, dtype=numpy.int64)) * dtype.itemsize
                count = min(count, found[1] // nbytes)
            counts.append(count)
        return max(min(counts), 1)

    def read_calibration_cache(self) -> Optional[bytes]:
        """The script's cache."""
        cache = self._ask(self._calibrator.read_calibration_cache)
        return None if cache is None else bytes(cache)

    def write_calibration_cache(self, cache: bytes) -> None:
        """The new cache, to the script."""
        self._ask(self._calibrator.write_calibration_cache, memoryview(cache))
