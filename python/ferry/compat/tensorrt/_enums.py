# SPDX-License-Identifier: Apache-2.0
"""TensorRT's enumerations: the values of release 8.6, and what releases 7 to 10 have beside them."""
from ferry.compat._offered import Enum


class NetworkDefinitionCreationFlag(Enum):
    """Of Builder.create_network(). The batch is always explicit."""

    EXPLICIT_BATCH = 0
    EXPLICIT_PRECISION = 1
    STRONGLY_TYPED = 2


class BuilderFlag(Enum):
    """Of IBuilderConfig.set_flag()."""

    FP16 = 0
    INT8 = 1
    DEBUG = 2
    GPU_FALLBACK = 3
    STRICT_TYPES = 4
    REFIT = 5
    DISABLE_TIMING_CACHE = 6
    TF32 = 7
    SPARSE_WEIGHTS = 8
    SAFETY_SCOPE = 9
    OBEY_PRECISION_CONSTRAINTS = 10
    PREFER_PRECISION_CONSTRAINTS = 11
    DIRECT_IO = 12
    REJECT_EMPTY_ALGORITHMS = 13
    ENABLE_TACTIC_HEURISTIC = 14
    VERSION_COMPATIBLE = 15
    EXCLUDE_LEAN_RUNTIME = 16
    FP8 = 17
    ERROR_ON_TIMING_CACHE_MISS = 18
    BF16 = 19
    DISABLE_COMPILATION_CACHE = 20
    STRIP_PLAN = 21
    REFIT_IDENTICAL = 22
    WEIGHT_STREAMING = 23
    INT4 = 24
    REFIT_INDIVIDUAL = 25
    FP4 = 26


class QuantizationFlag(Enum):
    """Of IBuilderConfig.set_quantization_flag(). ferry always calibrates before fusion."""

    CALIBRATE_BEFORE_FUSION = 0


class MemoryPoolType(Enum):
    """Of IBuilderConfig.set_memory_pool_limit()."""

    WORKSPACE = 0
    DLA_MANAGED_SRAM = 1
    DLA_LOCAL_DRAM = 2
    DLA_GLOBAL_DRAM = 3
    TACTIC_DRAM = 4
    TACTIC_SHARED_MEMORY = 5


class DeviceType(Enum):
    """Where layers run."""

    GPU = 0
    DLA = 1


class EngineCapability(Enum):
    """What engines are restricted to; ferry builds STANDARD ones."""

    STANDARD = 0
    DEFAULT = 0
    SAFETY = 1
    SAFE_GPU = 1
    DLA_STANDALONE = 2
    SAFE_DLA = 2


class ProfilingVerbosity(Enum):
    """How much an engine can tell of its layers; ferry's always tell all."""

    LAYER_NAMES_ONLY = 0
    DEFAULT = 0
    NONE = 1
    DETAILED = 2
    VERBOSE = 2


class TacticSource(Enum):
    """Libraries with kernels, which ferry may choose beside its own."""

    CUBLAS = 0
    CUBLAS_LT = 1
    CUDNN = 2
    EDGE_MASK_CONVOLUTIONS = 3
    JIT_CONVOLUTIONS = 4


class PreviewFeature(Enum):
    """Of IBuilderConfig.set_preview_feature()."""

    FASTER_DYNAMIC_SHAPES_0805 = 0
    DISABLE_EXTERNAL_TACTIC_SOURCES_FOR_CORE_0805 = 1
    PROFILE_SHARING_0806 = 2


class HardwareCompatibilityLevel(Enum):
    """Of IBuilderConfig.hardware_compatibility_level. ferry's engines run anywhere: they are planned anew."""

    NONE = 0
    AMPERE_PLUS = 1
    SAME_COMPUTE_CAPABILITY = 2


class ExecutionContextAllocationStrategy(Enum):
    """Who allocates a context's memory; ferry's context does."""

    STATIC = 0
    ON_PROFILE_CHANGE = 1
    USER_MANAGED = 2


class CalibrationAlgoType(Enum):
    """How a calibrator's ranges are chosen."""

    LEGACY_CALIBRATION = 0
    ENTROPY_CALIBRATION = 1
    ENTROPY_CALIBRATION_2 = 2
    MINMAX_CALIBRATION = 3


class OnnxParserFlag(Enum):
    """Of OnnxParser.set_flag()."""

    NATIVE_INSTANCENORM = 0


class ErrorCode(Enum):
    """Of ParserError.code(), as the ONNX parser counts."""

    SUCCESS = 0
    INTERNAL_ERROR = 1
    MEM_ALLOC_FAILED = 2
    MODEL_DESERIALIZE_FAILED = 3
    INVALID_VALUE = 4
    INVALID_GRAPH = 5
    INVALID_NODE = 6
    UNSUPPORTED_GRAPH = 7
    UNSUPPORTED_NODE = 8


class TensorIOMode(Enum):
    """What a tensor is to an engine."""

    NONE = 0
    INPUT = 1
    OUTPUT = 2


class TensorLocation(Enum):
    """Where an engine wants a tensor."""

    DEVICE = 0
    HOST = 1


class TensorFormat(Enum):
    """Layouts of inputs and outputs; ferry's are LINEAR."""

    LINEAR = 0
    CHW2 = 1
    HWC8 = 2
    CHW4 = 3
    CHW16 = 4
    CHW32 = 5
    DHWC8 = 6
    CDHW32 = 7
    HWC = 8
    DLA_LINEAR = 9
    DLA_HWC4 = 10
    HWC16 = 11


class LayerInformationFormat(Enum):
    """Of EngineInspector."""

    ONELINE = 0
    JSON = 1
