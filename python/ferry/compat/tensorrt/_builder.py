# SPDX-License-Identifier: Apache-2.0
"""Builder: makes networks, configs and profiles, and builds engines of them. A build that fails gives None, with the
reason in the log; only what a script's own code raises meanwhile comes out as it is."""
import json
from typing import Any, Dict, Optional

import ferry
from ferry.compat import _device
from ferry.compat._offered import removed, removed_property
from ferry.compat.tensorrt._calibrator import FromDevice
from ferry.compat.tensorrt._config import IBuilderConfig
from ferry.compat.tensorrt._engine import PROFILES, ICudaEngine
from ferry.compat.tensorrt._enums import BuilderFlag, DeviceType, MemoryPoolType
from ferry.compat.tensorrt._logger import Log
from ferry.compat.tensorrt._network import INetworkDefinition
from ferry.compat.tensorrt._profile import IOptimizationProfile, hull
from ferry.compat.tensorrt._profiler import Progress
from ferry.compat.tensorrt._recorder import WithoutRecorder
from ferry.compat.tensorrt._timing import as_file
from ferry.compat.tensorrt._types import IHostMemory

CACHE_VERSION = "8601"  # of release 8.6.1, in the first line of calibration caches
_FLAG_OF_PRECISION = {ferry.Precision.FP16: BuilderFlag.FP16, ferry.Precision.BF16: BuilderFlag.BF16,
                      ferry.Precision.INT8: BuilderFlag.INT8}


def dla_cores() -> int:
    """How many DLA cores there are."""
    return sum(1 for d in ferry.devices() if d.available and d.name.split(":")[0] == "dla")


class Builder(WithoutRecorder):
    """Builds engines for the device there is."""

    def __init__(self, logger: Any) -> None:
        self._log = Log(logger)
        self._batch = 1
        self._threads = 0
        self._legacy = IBuilderConfig(self._log)  # what TensorRT 7 kept in the builder itself

    # --- What it makes -----------------------------------------------------------------------------------------------

    def create_network(self, flags: int = 0) -> INetworkDefinition:
        """An empty network. Its batch is explicit, as TensorRT 10's always is."""
        if not int(flags) & 1:
            self._log.info("the network's batch is explicit, although EXPLICIT_BATCH is not set: shapes hold it")
        return INetworkDefinition(self._log, int(flags))

    def create_builder_config(self) -> IBuilderConfig:
        """How to build."""
        return IBuilderConfig(self._log)

    def create_optimization_profile(self) -> IOptimizationProfile:
        """Ranges of shapes."""
        return IOptimizationProfile()

    # --- What the machine can ----------------------------------------------------------------------------------------

    def _may_build(self, precision: ferry.Precision) -> bool:
        """Whether engines of a precision can be built. Scripts assert on it, so yes; and a warning where it is not
        faster."""
        runtime = _device.runtime()
        if not runtime.fast_precisions & precision:
            self._log.warning("%s can be built for, but is not faster than FP32 on this device (%s)"
                              % (precision.name, runtime.device))
        return True

    @property
    def platform_has_fast_fp16(self) -> bool:
        """Whether FP16 can be built for; a warning says where it is not faster."""
        return self._may_build(ferry.Precision.FP16)

    @property
    def platform_has_fast_int8(self) -> bool:
        """Whether INT8 can be built for; a warning says where it is not faster."""
        return self._may_build(ferry.Precision.INT8)

    @property
    def platform_has_tf32(self) -> bool:
        """Whether FP32 layers may be computed in TF32: on GPUs, where BuilderFlag.TF32 is set."""
        return not _device.runtime().host_memory

    @property
    def num_DLA_cores(self) -> int:
        """How many DLA cores there are."""
        return dla_cores()

    @property
    def max_DLA_batch_size(self) -> int:
        """The largest batch that a DLA takes; 0 without one."""
        return 4096 if dla_cores() else 0

    @property
    def max_threads(self) -> int:
        """Most host threads of a build; 0: one for each core."""
        return self._threads

    @max_threads.setter
    def max_threads(self, threads: int) -> None:
        self._threads = int(threads)

    @property
    def logger(self) -> Any:
        """What it logs to."""
        return self._log.logger

    def reset(self) -> None:
        """All as it was at first."""
        self._batch, self._threads = 1, 0
        self._legacy = IBuilderConfig(self._log)

    def get_plugin_registry(self) -> Any:
        """The registry of plugins: empty."""
        from ferry.compat.tensorrt._plugins import get_plugin_registry
        return get_plugin_registry()

    def is_network_supported(self, network: INetworkDefinition, config: IBuilderConfig) -> bool:
        """Whether a network is valid as far as that is known before building it; the reason why not is logged."""
        try:
            network._for_build()
            return True
        except (ferry.Error, ValueError, TypeError) as error:
            self._log.error(error)
            return False

    # --- Building ----------------------------------------------------------------------------------------------------

    def build_serialized_network(self, network: INetworkDefinition, config: IBuilderConfig) -> Optional[IHostMemory]:
        """The engine file's bytes, or None."""
        engine = self._build(network, config)
        return None if engine is None else engine.serialize()

    @removed("9.3", "use build_serialized_network() and Runtime.deserialize_cuda_engine()")
    def build_engine(self, network: INetworkDefinition, config: IBuilderConfig) -> Optional[ICudaEngine]:
        """An engine, or None."""
        return self._build(network, config)

    def build_engine_with_config(self, network: INetworkDefinition, config: IBuilderConfig) -> Optional[ICudaEngine]:
        """An engine, or None."""
        return self._build(network, config)

    @removed("7.2", "use create_builder_config() and build_serialized_network()")
    def build_cuda_engine(self, network: INetworkDefinition) -> Optional[ICudaEngine]:
        """An engine as TensorRT 7's attributes of the builder ask for it, or None."""
        return self._build(network, self._legacy)

    def _build(self, network: INetworkDefinition, config: IBuilderConfig) -> Optional[ICudaEngine]:
        if not isinstance(network, INetworkDefinition) or not isinstance(config, IBuilderConfig):
            raise TypeError("a tensorrt.INetworkDefinition and a tensorrt.IBuilderConfig are wanted, not %s and %s"
                            % (type(network).__name__, type(config).__name__))
        build = _Build(self._log, network, config, self._threads)
        try:
            return ICudaEngine(build.run(), self._log)
        except (ferry.Error, ValueError, TypeError) as error:
            if build.calibrator is not None and build.calibrator.raised is not None:
                raise build.calibrator.raised
            self._log.error("the engine was not built: %s" % error)
            return None

    # --- TensorRT 7 --------------------------------------------------------------------------------------------------

    def _set_batch(self, size: int) -> None:
        self._batch = int(size)

    max_batch_size = removed_property(lambda self: self._batch, _set_batch, "9.3",
                                      "with an explicit batch it has no meaning; an optimization profile has the sizes")

    def _switch(self, flag: BuilderFlag, on: bool) -> None:
        (self._legacy.set_flag if on else self._legacy.clear_flag)(flag)

    fp16_mode = removed_property(lambda self: self._legacy.get_flag(BuilderFlag.FP16),
                                 lambda self, on: self._switch(BuilderFlag.FP16, on), "7.2",
                                 "use IBuilderConfig.set_flag(tensorrt.BuilderFlag.FP16)")
    int8_mode = removed_property(lambda self: self._legacy.get_flag(BuilderFlag.INT8),
                                 lambda self, on: self._switch(BuilderFlag.INT8, on), "7.2",
                                 "use IBuilderConfig.set_flag(tensorrt.BuilderFlag.INT8)")
    strict_type_constraints = removed_property(
        lambda self: self._legacy.get_flag(BuilderFlag.STRICT_TYPES),
        lambda self, on: self._switch(BuilderFlag.STRICT_TYPES, on), "7.2",
        "use IBuilderConfig.set_flag(tensorrt.BuilderFlag.OBEY_PRECISION_CONSTRAINTS)")
    int8_calibrator = removed_property(lambda self: self._legacy._calibrator,
                                       lambda self, calibrator: self._legacy._set_calibrator(calibrator), "7.2",
                                       "use IBuilderConfig.int8_calibrator")
    max_workspace_size = removed_property(
        lambda self: self._legacy.get_memory_pool_limit(MemoryPoolType.WORKSPACE),
        lambda self, size: self._legacy.set_memory_pool_limit(MemoryPoolType.WORKSPACE, size), "7.2",
        "use IBuilderConfig.set_memory_pool_limit(tensorrt.MemoryPoolType.WORKSPACE, bytes)")


class _Build:
    """One build: TensorRT's settings in ferry's words."""

    def __init__(self, log: Log, network: INetworkDefinition, config: IBuilderConfig, threads: int) -> None:
        self.log, self.network, self.config, self.threads = log, network, config, threads
        self.calibrator: Optional[FromDevice] = None

    def run(self) -> ferry.Engine:
        """The engine, or an error."""
        net = self.network._for_build()
        if not net.outputs:
            raise ValueError("the network has no output: mark_output() makes one")
        monitor = None if self.config._monitor is None else Progress(self.config._monitor)
        cache = None if self.config.get_flag(BuilderFlag.DISABLE_TIMING_CACHE) else self.config._timing_cache
        with as_file(cache) as path:
            settings = self._settings(net, path, monitor)
            try:
                return ferry.Builder(self._runtime()).build(net, settings)
            finally:
                if monitor is not None:
                    monitor.finish()

    def _runtime(self) -> ferry.Runtime:
        """The runtime of the device that is asked for. Where a DLA isn't, GPU_FALLBACK lets all run on the best device
        there is, which ferry says; else this is an error, as with TensorRT."""
        if self.config.default_device_type != DeviceType.DLA:
            return _device.runtime()
        fallback = self.config.get_flag(BuilderFlag.GPU_FALLBACK)
        core = max(self.config.DLA_core, 0)
        if not dla_cores():
            if not fallback:
                raise ferry.UnavailableError("default_device_type is DLA (core %d), and this machine has no DLA core: "
                                             "set BuilderFlag.GPU_FALLBACK to let its layers run elsewhere" % core)
            self.log.warning("default_device_type is DLA (core %d), and this machine has no DLA core; GPU_FALLBACK is "
                             "set: all layers run on %s" % (core, _device.runtime().device))
            return _device.runtime()
        return ferry.Runtime("dla:%d" % core, fallback, self.log.for_ferry)

    def _settings(self, net: ferry.Network, cache: Any, monitor: Any) -> ferry.BuilderConfig:
        config = self.config
        settings = ferry.BuilderConfig(
            tactics=self.config._tactics, tf32=self.config.get_flag(BuilderFlag.TF32),
            workspace=config.get_memory_pool_limit(MemoryPoolType.WORKSPACE), threads=self.threads,
            timing_cache=cache, layer_precision=self.network._precisions(), logger=self.log.for_ferry)
        for precision, flag in _FLAG_OF_PRECISION.items():
            if config.get_flag(flag):
                settings.precisions |= precision
        if monitor is not None:
            settings.progress = monitor
        self._shapes(net, settings)
        if settings.int8 and config._calibrator is not None:
            settings.calibration = self._calibration(net, settings)
        return settings

    def _shapes(self, net: ferry.Network, settings: ferry.BuilderConfig) -> None:
        profiles = self.config._profiles
        merged = hull(profiles)
        for binding in net.bindings:
            if not binding.is_input:
                continue
            if binding.name in merged:
                settings.set_shape(binding.name, *merged.pop(binding.name))
            elif binding.is_dynamic:
                raise ValueError("input '%s' has open dimensions %s, and no optimization profile sets its shape: call "
                                 "create_optimization_profile(), set_shape('%s', min, opt, max) and "
                                 "add_optimization_profile()" % (binding.name, list(binding.shape), binding.name))
        if merged:
            raise ValueError("an optimization profile has shapes for '%s', and the network's inputs are %s" % (
                "', '".join(merged), ", ".join("'%s'" % b.name for b in net.bindings if b.is_input)))
        if len(profiles) > 1:
            self.log.info("%d optimization profiles: the engine has one plan for the range that holds all of them"
                          % len(profiles))
        if profiles:
            settings.metadata[PROFILES] = json.dumps([p._ranges for p in profiles])

    def _calibration(self, net: ferry.Network, settings: ferry.BuilderConfig) -> ferry.Calibration:
        """Samples from the script's calibrator. Where calibration has a profile of its own, it runs in those shapes
        first, and the build gets its result."""
        profile = self.config._calibration_profile
        shaped = settings
        if profile is not None:
            shaped = ferry.BuilderConfig(threads=self.threads, logger=settings.logger)
            shaped.shapes = dict(settings.shapes, **_fixed(profile))
        batches = {b.name: shaped.shapes[b.name][1][0] for b in net.bindings
                   if b.is_input and b.shape and b.shape[0] < 0}
        self.calibrator = FromDevice(self.config._calibrator, shaped.sample_shapes(net), batches)
        calibration = ferry.Calibration(self.calibrator, algorithm=self.calibrator.algorithm,
                                        cache_version=CACHE_VERSION)
        if shaped.shapes == settings.shapes:
            return calibration
        shaped.int8, shaped.calibration = True, calibration
        text = ferry.Builder(_device.runtime()).calibrate(net, shaped)
        return ferry.Calibration(_Cache(text))


def _fixed(profile: IOptimizationProfile) -> Dict[str, Any]:
    """A calibration profile's best shapes, but for a batch that is left open: samples come one by one."""
    return {name: (best, best, best) for name, (_low, best, _high) in profile._ranges.items()}


class _Cache(ferry.Calibrator):
    """A calibration that is there already."""

    def __init__(self, text: str) -> None:
        self._text = text

    def get_batch(self, names: Any) -> None:
        """There is none: the cache serves."""
        return None

    def read_calibration_cache(self) -> str:
        """What was found."""
        return self._text
