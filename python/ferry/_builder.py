# SPDX-License-Identifier: Apache-2.0
"""From a network to an engine: options, build, calibration."""
import ctypes
from typing import Any, Dict, List, Optional, Tuple

from ferry import _structs
from ferry._calibrator import Calibration, Sample, sample_type
from ferry._callbacks import Signals, guarded
from ferry._engine import Engine, _runtime
from ferry._errors import InvalidArgumentError
from ferry._histograms import Histograms
from ferry._library import I32, U64, encode, encode_optional, encode_path, integer, lib, take_bytes_text
from ferry._logger import optional_logger
from ferry._network import Network
from ferry._progress import CProgress
from ferry._types import Precision, Shape, shape_of


_TACTICS = ("all", "own")  # in the order of ferry_tactics


def _tactics(word: Any) -> int:
    if word not in _TACTICS:
        raise InvalidArgumentError("tactics: %r is neither 'all' nor 'own'" % (word,))
    return _TACTICS.index(word)


class BuilderConfig:
    """How an engine is built. Every attribute may be given to the constructor by name.

    precisions: ferry.Precision flags besides FP32; fp16, bf16 and int8 switch one each.
    layer_precision: {glob: "fp32" | "fp16" | "bf16" | "int8"} for names of nodes and tensors; the last match counts.
    calibration: a ferry.Calibration, or what its `source` may be.
    plan: text of a numeric plan (engine.numeric_plan) to replay.
    preprocess, decoder, labels, task, metadata, name: stored in the engine, for whoever runs it.
    workspace, memory: most bytes for one tactic's scratch, and for a context; 0 is no cap.
    timing_cache: file of measured times. threads: 0 is one for each core.
    no_winograd: convolutions in float as plain sums, with a few times less rounding error.
    low_memory: tactics chosen for memory too, weights resident only while their layer runs.
    no_timing: tactics by estimated costs.
    int8_symmetric: INT8 without zero points, as TensorRT and the DLA have it.
    tactics: "all", or "own" for an engine that needs no library of the GPU's vendor but its driver.
    tf32: products of FP32 may round their factors to TF32.
    build_seconds: most for timing tactics, compiling for it included; 0 is no cap.
    no_fp16_guard: let FP16 have every layer, though tensors overflow on the calibration's samples.
    progress: None shows it on a terminal, True always, False never; or a function of a ferry.ProgressReport, which may
    return False to cancel. logger: None is the runtime's."""

    def __init__(self, **options: Any) -> None:
        self.precisions = Precision.NONE
        self.layer_precision: Dict[str, str] = {}
        self.calibration: Any = None
        self.plan: Optional[str] = None
        self.preprocess: Any = None
        self.decoder: Any = None
        self.labels: Any = None
        self.task: Optional[str] = None
        self.name: Optional[str] = None
        self.metadata: Dict[str, str] = {}
        self.workspace = 0
        self.memory = 0
        self.timing_cache: Any = None
        self.threads = 0
        self.no_fusion = False
        self.no_winograd = False
        self.low_memory = False
        self.no_timing = False
        self.int8_symmetric = False
        self.tactics = "all"
        self.tf32 = False
        self.build_seconds = 0.0
        self.no_fp16_guard = False
        self.strip_portable = False
        self.disabled_passes: List[str] = []
        self.logger: Any = None
        self.progress: Any = None
        self.shapes: Dict[str, Tuple[Shape, Shape, Shape]] = {}
        for name, value in options.items():
            if name not in self.__dict__ and name not in ("fp16", "bf16", "int8"):
                raise TypeError("BuilderConfig has no option '%s'; it has %s" % (name, ", ".join(
                    sorted(list(self.__dict__) + ["fp16", "bf16", "int8"]))))
            setattr(self, name, value)

    def _flag(self, precision: Precision, on: bool) -> None:
        self.precisions = self.precisions | precision if on else self.precisions & ~precision

    @property
    def fp16(self) -> bool:
        """Whether FP16 is allowed."""
        return bool(self.precisions & Precision.FP16)

    @fp16.setter
    def fp16(self, on: bool) -> None:
        self._flag(Precision.FP16, on)

    @property
    def bf16(self) -> bool:
        """Whether BF16 is allowed."""
        return bool(self.precisions & Precision.BF16)

    @bf16.setter
    def bf16(self, on: bool) -> None:
        self._flag(Precision.BF16, on)

    @property
    def int8(self) -> bool:
        """Whether INT8 is allowed. It needs scales: a calibration, a plan, dynamic ranges, or Q/DQ nodes."""
        return bool(self.precisions & Precision.INT8)

    @int8.setter
    def int8(self, on: bool) -> None:
        self._flag(Precision.INT8, on)

    def set_shape(self, name: str, shape: Any, opt: Any = None, most: Any = None) -> None:
        """Shapes of a dynamic input: one that is fixed, or smallest, best and largest."""
        low = shape_of(shape, "input '%s'" % name)
        shapes = (low, low if opt is None else shape_of(opt), low if most is None else shape_of(most))
        if len({len(s) for s in shapes}) != 1:
            raise InvalidArgumentError("input '%s': the shapes have different numbers of dimensions" % name)
        self.shapes[name] = shapes if most is not None or opt is None else (low, shapes[1], shapes[1])

    # --- As C sees it --------------------------------------------------------------------------------------------

    def _texts(self) -> Dict[str, Optional[bytes]]:
        def text(value, name):
            if value is None:
                return None
            return encode(value.to_json() if hasattr(value, "to_json") else value, name)

        labels = self.labels
        if labels is not None and not isinstance(labels, (str, bytes)):
            from ferry._labels import Labels
            labels = (labels if isinstance(labels, Labels) else Labels(labels)).to_text()
        return {"preprocess_json": text(self.preprocess, "preprocess"), "decoder_json": text(self.decoder, "decoder"),
                "labels_json": encode_optional(labels, "labels"), "task": encode_optional(self.task, "task"),
                "name": encode_optional(self.name, "name"), "numeric_plan": encode_optional(self.plan, "plan")}

    def _shapes(self) -> Any:
        items = [_structs.ProfileShape(encode(name, "an input's name"), len(low), _structs.Dims(*low),
                                       _structs.Dims(*opt), _structs.Dims(*most))
                 for name, (low, opt, most) in self.shapes.items()]
        return (_structs.ProfileShape * len(items))(*items)

    def to_c(self) -> Any:
        """ferry_build_options, but for what a build adds: calibration, logger and progress."""
        precisions = dict(self.layer_precision)
        shapes = self._shapes()
        layers = [_structs.LayerPrecision(encode(glob, "a glob"), encode(precision, "a precision"))
                  for glob, precision in precisions.items()]
        pairs = [_structs.TextPair(encode(k, "a key"), encode(v, "a value")) for k, v in dict(self.metadata).items()]
        passes = [encode(name, "a pass") for name in self.disabled_passes]
        return _structs.BuildOptions(
            precisions=integer(self.precisions, "precisions", 0, 7), shapes=shapes, n_shapes=len(shapes),
            layer_precisions=(_structs.LayerPrecision * len(layers))(*layers), n_layer_precisions=len(layers),
            metadata=(_structs.TextPair * len(pairs))(*pairs), n_metadata=len(pairs),
            workspace_bytes=integer(self.workspace, "workspace", 0, U64),
            memory_bytes=integer(self.memory, "memory", 0, U64),
            timing_cache=None if self.timing_cache is None else encode_path(self.timing_cache, "timing_cache"),
            threads=integer(self.threads, "threads", 0, I32), no_fusion=bool(self.no_fusion),
            strip_portable=bool(self.strip_portable), no_winograd=bool(self.no_winograd),
            low_memory=bool(self.low_memory), no_timing=bool(self.no_timing),
            int8_symmetric=bool(self.int8_symmetric), tactics=_tactics(self.tactics), tf32=bool(self.tf32),
            build_seconds=float(self.build_seconds),
            no_fp16_guard=bool(self.no_fp16_guard),
            disabled_passes=(ctypes.c_char_p * len(passes))(*passes), n_disabled_passes=len(passes), **self._texts())

    def sample_shapes(self, network: Network) -> List[Sample]:
        """Name, shape and type of one calibration sample of each input: what it is built for, with a batch of 1 where
        the model leaves that open."""
        samples = []
        for binding in network.bindings:
            if not binding.is_input:
                continue
            shape = list(self.shapes[binding.name][1] if binding.name in self.shapes else binding.shape)
            if shape and (not binding.shape or binding.shape[0] < 0):
                shape[0] = 1
            samples.append((binding.name, tuple(shape), sample_type(binding.data_type)))
        return samples


class Builder:
    """Builds engines for a runtime's device: `ferry.Builder().build(network, config)`."""

    def __init__(self, runtime: Any = None) -> None:
        self.runtime = _runtime(runtime)

    def create_config(self, **options: Any) -> BuilderConfig:
        """A ferry.BuilderConfig."""
        return BuilderConfig(**options)

    def create_network(self, opset: int = 0) -> Network:
        """An empty ferry.Network."""
        return Network(opset)

    def build(self, network: Network, config: Optional[BuilderConfig] = None, **options: Any) -> Engine:
        """Builds an engine: seconds to minutes. Ctrl-C stops it; exceptions of calibrator, progress and logger do so
        too and are raised here. options: those of BuilderConfig, where no config is given."""
        return Engine._of(self.runtime, self._call(lib.build, network, _config(config, options)))

    def calibrate(self, network: Network, config: Optional[BuilderConfig] = None, **options: Any) -> str:
        """Calibrates alone; returns the text of a TensorRT calibration cache."""
        return take_bytes_text(self._call(lib.calibrate, network, _config(config, options)))

    def observe(self, network: Network, config: Optional[BuilderConfig] = None, **options: Any) -> Histograms:
        """Runs calibration's forward passes alone: what was seen of each tensor, to be added up with what other
        processes have seen. Of the calibration, only the samples count."""
        return Histograms._of(self._call(lib.observe, network, _config(config, options)))

    def _call(self, function: Any, network: Network, config: BuilderConfig) -> ctypes.c_void_p:
        if not isinstance(network, Network):
            raise TypeError("network must be a ferry.Network, not %s" % type(network).__name__)
        out, options = ctypes.c_void_p(), config.to_c()
        progress, logger = CProgress(config.progress), optional_logger(config.logger)
        options.progress = ctypes.pointer(progress.struct)
        guards = [progress.guard, self.runtime._logger.guard, network._logger.guard]
        if logger is not None:
            options.logger = ctypes.pointer(logger.struct)
            guards.insert(0, logger.guard)
        keep = calibrator = None
        if config.calibration is not None:
            calibration = config.calibration
            if not isinstance(calibration, Calibration):
                calibration = Calibration(calibration)
            keep, calibrator = calibration.to_c(config.sample_shapes(network))
            options.calibration = ctypes.pointer(keep)
        if calibrator is not None:
            guards.insert(0, calibrator.guard)
        try:
            # Guards that others use at the same time (the loggers') leave signals alone.
            with network._exclusive, Signals([g.guard for g in (progress, calibrator) if g is not None]):
                guarded(guards, function, self.runtime._use(), network._use(), ctypes.byref(options),
                        ctypes.byref(out))
        finally:
            progress.close()
        return out


def _config(config: Optional[BuilderConfig], options: Dict[str, Any]) -> BuilderConfig:
    if config is None:
        return BuilderConfig(**options)
    if not isinstance(config, BuilderConfig):
        raise TypeError("config must be a ferry.BuilderConfig, not %s" % type(config).__name__)
    if options:
        raise TypeError("give options to the config, or alone: %s" % ", ".join(sorted(options)))
    return config


def passes() -> List[Tuple[str, str]]:
    """The rewrites in their order: name, and what it does."""
    found: List[Tuple[str, str]] = []
    while True:
        what = ctypes.c_char_p()
        name = lib.pass_name(len(found), ctypes.byref(what))
        if name is None:
            return found
        found.append((name.decode(), (what.value or b"").decode()))
