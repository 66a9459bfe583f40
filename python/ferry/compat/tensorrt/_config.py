# SPDX-License-Identifier: Apache-2.0
"""IBuilderConfig: how an engine is to be built, kept until the build in TensorRT's terms."""
from typing import Any, Dict, Iterable, Optional

from ferry.compat._offered import Shim, refused, removed, removed_property
from ferry.compat.tensorrt._calibrator import IInt8Calibrator
from ferry.compat.tensorrt._enums import (BuilderFlag, DeviceType, EngineCapability, HardwareCompatibilityLevel,
                                          MemoryPoolType, PreviewFeature, ProfilingVerbosity, QuantizationFlag,
                                          TacticSource)
from ferry.compat.tensorrt._profile import IOptimizationProfile
from ferry.compat.tensorrt._settings import HONOURED, KEPT, NO_EFFECT, REFUSED
from ferry.compat.tensorrt._timing import ITimingCache, timing_cache_of

_QDQ = "quantise the model itself (Q/DQ nodes)"


class IBuilderConfig(Shim):
    """Made by Builder.create_builder_config()."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self.reset()

    def reset(self) -> None:
        """All as it was at first."""
        self._flags = 1 << int(BuilderFlag.TF32)
        self._quantization_flags = 0
        self._kept = {name: default for name, (default, _why) in KEPT.items()}
        self._pools: Dict[MemoryPoolType, int] = {}
        self._calibrator: Optional[IInt8Calibrator] = None
        self._profiles: Any = []
        self._calibration_profile: Optional[IOptimizationProfile] = None
        self._timing_cache: Optional[ITimingCache] = None
        self._device = DeviceType.GPU
        self._dla_core = -1
        self._layer_devices: Dict[Any, DeviceType] = {}
        self._verbosity = ProfilingVerbosity.LAYER_NAMES_ONLY
        self._tactic_sources = (1 << len(TacticSource.__members__)) - 1
        self._previews: Dict[PreviewFeature, bool] = {}
        self._monitor = None

    def _without_effect(self, what: str, why: str) -> None:
        self._log.info("%s has no effect: %s" % (what, why))

    # --- Flags -------------------------------------------------------------------------------------------------------

    def _bit(self, flag: BuilderFlag) -> int:
        if not isinstance(flag, BuilderFlag):
            raise TypeError("a tensorrt.BuilderFlag is wanted, not %s" % type(flag).__name__)
        return 1 << int(flag)

    def set_flag(self, flag: BuilderFlag) -> None:
        """Sets a flag. One that ferry can't honour is an error, or a message in the log where nothing is lost."""
        bit = self._bit(flag)
        if flag in REFUSED:
            raise refused(str(flag), REFUSED[flag])
        if flag not in HONOURED:
            self._without_effect(str(flag), NO_EFFECT[flag])
        self._flags |= bit

    def clear_flag(self, flag: BuilderFlag) -> None:
        """Clears a flag."""
        self._flags &= ~self._bit(flag)

    def get_flag(self, flag: BuilderFlag) -> bool:
        """Whether a flag is set."""
        return bool(self._flags & self._bit(flag))

    @property
    def flags(self) -> int:
        """All flags as bits."""
        return self._flags

    @flags.setter
    def flags(self, flags: int) -> None:
        self._flags = 0
        for flag in BuilderFlag:
            if flags & (1 << int(flag)):
                self.set_flag(flag)

    def set_quantization_flag(self, flag: QuantizationFlag) -> None:
        """ferry calibrates before fusion in any case."""
        self._quantization_flags |= 1 << int(flag)

    def clear_quantization_flag(self, flag: QuantizationFlag) -> None:
        """ferry calibrates before fusion in any case."""
        self._quantization_flags &= ~(1 << int(flag))

    def get_quantization_flag(self, flag: QuantizationFlag) -> bool:
        """Whether it is set."""
        return bool(self._quantization_flags >> int(flag) & 1)

    @property
    def quantization_flags(self) -> int:
        """All of them as bits."""
        return self._quantization_flags

    # --- Memory ------------------------------------------------------------------------------------------------------

    def set_memory_pool_limit(self, pool: MemoryPoolType, pool_size: int) -> None:
        """Caps a pool's bytes. WORKSPACE is the most scratch memory of one tactic."""
        size = int(pool_size)
        if size < 0:
            raise ValueError("a memory pool of %d bytes" % size)
        if pool != MemoryPoolType.WORKSPACE:
            self._without_effect("the limit of %s" % pool, "only %s is a pool of ferry's" % MemoryPoolType.WORKSPACE)
        self._pools[pool] = size

    def get_memory_pool_limit(self, pool: MemoryPoolType) -> int:
        """What was set; 0 where nothing was: no cap."""
        return self._pools.get(pool, 0)

    max_workspace_size = removed_property(
        lambda self: self.get_memory_pool_limit(MemoryPoolType.WORKSPACE),
        lambda self, size: self.set_memory_pool_limit(MemoryPoolType.WORKSPACE, size),
        "9.3", "use set_memory_pool_limit(tensorrt.MemoryPoolType.WORKSPACE, bytes)")

    # --- INT8 --------------------------------------------------------------------------------------------------------

    def _set_calibrator(self, calibrator: Optional[IInt8Calibrator]) -> None:
        if calibrator is not None and not isinstance(calibrator, IInt8Calibrator):
            raise TypeError("int8_calibrator must derive from tensorrt.IInt8EntropyCalibrator2 or one of its kin, not "
                            "%s" % type(calibrator).__name__)
        self._calibrator = calibrator

    int8_calibrator = removed_property(lambda self: self._calibrator, _set_calibrator, "10.16", _QDQ)

    @removed("10.16", _QDQ)
    def set_calibration_profile(self, profile: IOptimizationProfile) -> bool:
        """The shapes (its opt) that calibration runs in."""
        self._calibration_profile = profile
        return True

    @removed("10.16", _QDQ)
    def get_calibration_profile(self) -> Optional[IOptimizationProfile]:
        """What was set."""
        return self._calibration_profile

    # --- Profiles and timing -----------------------------------------------------------------------------------------

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
        """Adds a profile; its number, or -1 where it has no shapes."""
        if not profile:
            self._log.error("an optimization profile without shapes was not added: call its set_shape() first")
            return -1
        self._profiles.append(profile)
        return len(self._profiles) - 1

    @property
    def num_optimization_profiles(self) -> int:
        """How many were added."""
        return len(self._profiles)

    def create_timing_cache(self, serialized_timing_cache: Any = b"") -> ITimingCache:
        """A timing cache of what ITimingCache.serialize() gave, or an empty one."""
        return timing_cache_of(serialized_timing_cache, self._log)

    def set_timing_cache(self, cache: Optional[ITimingCache], ignore_mismatch: bool = False) -> bool:
        """The build reads and completes it. Entries of other devices are never used, so none can mismatch."""
        self._timing_cache = cache
        return True

    def get_timing_cache(self) -> Optional[ITimingCache]:
        """What was set."""
        return self._timing_cache

    # --- Devices -----------------------------------------------------------------------------------------------------

    @property
    def default_device_type(self) -> DeviceType:
        """Where layers run that have no device of their own."""
        return self._device

    @default_device_type.setter
    def default_device_type(self, device: DeviceType) -> None:
        self._device = DeviceType(int(device))

    @property
    def DLA_core(self) -> int:
        """Which DLA core; may be set on a machine without one, where GPU_FALLBACK decides what happens."""
        return self._dla_core

    @DLA_core.setter
    def DLA_core(self, core: int) -> None:
        self._dla_core = int(core)

    def set_device_type(self, layer: Any, device_type: DeviceType) -> None:
        """A device for one layer: refused where it is not the network's, for ferry places layers itself."""
        if DeviceType(int(device_type)) != self._device:
            raise refused("a device of a layer's own",
                          "set default_device_type, and GPU_FALLBACK for what it can't run")
        self._layer_devices[layer] = device_type

    def get_device_type(self, layer: Any) -> DeviceType:
        """The device of a layer."""
        return self._layer_devices.get(layer, self._device)

    def is_device_type_set(self, layer: Any) -> bool:
        """Whether a layer has a device of its own."""
        return layer in self._layer_devices

    def reset_device_type(self, layer: Any) -> None:
        """Takes a layer's own device back."""
        self._layer_devices.pop(layer, None)

    def can_run_on_DLA(self, layer: Any) -> bool:
        """Whether a DLA can run a layer: not without one."""
        return False

    # --- What is kept and said ---------------------------------------------------------------------------------------

    @property
    def engine_capability(self) -> EngineCapability:
        """What the engine is restricted to: nothing."""
        return EngineCapability.STANDARD

    @engine_capability.setter
    def engine_capability(self, capability: EngineCapability) -> None:
        if int(capability) != int(EngineCapability.STANDARD):
            raise refused(str(capability), "ferry's engines are of EngineCapability.STANDARD")

    @property
    def profiling_verbosity(self) -> ProfilingVerbosity:
        """How much the engine can tell of its layers: all, in any case."""
        return self._verbosity

    @profiling_verbosity.setter
    def profiling_verbosity(self, verbosity: ProfilingVerbosity) -> None:
        self._verbosity = ProfilingVerbosity(int(verbosity))

    @property
    def hardware_compatibility_level(self) -> HardwareCompatibilityLevel:
        """NONE: an engine of ferry's runs on other machines whatever is set, being planned anew there."""
        return HardwareCompatibilityLevel.NONE

    @hardware_compatibility_level.setter
    def hardware_compatibility_level(self, level: HardwareCompatibilityLevel) -> None:
        if int(level):
            self._without_effect("hardware_compatibility_level", "engines run on other machines in any case")

    def set_tactic_sources(self, tactic_sources: int) -> bool:
        """Which libraries may serve. Without cuBLAS, cuBLASLt and cuDNN, ferry's own kernels do alone."""
        self._tactic_sources = int(tactic_sources)
        return True

    @property
    def _tactics(self) -> str:
        libraries = (TacticSource.CUBLAS, TacticSource.CUBLAS_LT, TacticSource.CUDNN)
        return "all" if any(self._tactic_sources >> int(source) & 1 for source in libraries) else "own"

    def get_tactic_sources(self) -> int:
        """What was set."""
        return self._tactic_sources

    def set_preview_feature(self, feature: PreviewFeature, enable: bool) -> None:
        """Features of TensorRT's that were coming."""
        self._without_effect(str(feature), "it is TensorRT's own")
        self._previews[feature] = bool(enable)

    def get_preview_feature(self, feature: PreviewFeature) -> bool:
        """What was set."""
        return self._previews.get(feature, False)

    @property
    def progress_monitor(self) -> Any:
        """An IProgressMonitor that is told how the build goes, and may end it."""
        return self._monitor

    @progress_monitor.setter
    def progress_monitor(self, monitor: Any) -> None:
        self._monitor = monitor

    @property
    def plugins_to_serialize(self) -> Iterable[str]:
        """Libraries of plugins: none."""
        return []

    @plugins_to_serialize.setter
    def plugins_to_serialize(self, paths: Iterable[str]) -> None:
        if list(paths):
            raise refused("IBuilderConfig.plugins_to_serialize", "there are no plugins; ferry runs ONNX's operators")

    @property
    def algorithm_selector(self) -> None:
        """None."""
        return None

    @algorithm_selector.setter
    def algorithm_selector(self, selector: Any) -> None:
        if selector is not None:
            raise refused("IBuilderConfig.algorithm_selector", "a timing cache keeps the choice from build to build")


def _kept(name: str, default: Any, why: str) -> property:
    def get(self):
        return self._kept[name]

    def set_(self, value):
        if value != default:
            self._without_effect("IBuilderConfig.%s = %s" % (name, value), why)
        self._kept[name] = value

    return property(get, set_, doc="Kept and given back; %s." % why)


for _name, (_default, _why) in KEPT.items():
    setattr(IBuilderConfig, _name, _kept(_name, _default, _why))
