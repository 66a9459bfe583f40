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
    """Libraries with kernels; ferry's kernels are its own."""

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


class LayerType(Enum):
    """Of ILayer.type."""

    CONVOLUTION = 0
    FULLY_CONNECTED = 1
    ACTIVATION = 2
    POOLING = 3
    LRN = 4
    SCALE = 5
    SOFTMAX = 6
    DECONVOLUTION = 7
    CONCATENATION = 8
    ELEMENTWISE = 9
    PLUGIN = 10
    UNARY = 11
    PADDING = 12
    SHUFFLE = 13
    REDUCE = 14
    TOPK = 15
    GATHER = 16
    MATRIX_MULTIPLY = 17
    RAGGED_SOFTMAX = 18
    CONSTANT = 19
    RNN_V2 = 20
    IDENTITY = 21
    PLUGIN_V2 = 22
    SLICE = 23
    SHAPE = 24
    PARAMETRIC_RELU = 25
    RESIZE = 26
    TRIP_LIMIT = 27
    RECURRENCE = 28
    ITERATOR = 29
    LOOP_OUTPUT = 30
    SELECT = 31
    FILL = 32
    QUANTIZE = 33
    DEQUANTIZE = 34
    CONDITION = 35
    CONDITIONAL_INPUT = 36
    CONDITIONAL_OUTPUT = 37
    SCATTER = 38
    EINSUM = 39
    ASSERTION = 40
    ONE_HOT = 41
    NON_ZERO = 42
    GRID_SAMPLE = 43
    NMS = 44
    REVERSE_SEQUENCE = 45
    NORMALIZATION = 46
    CAST = 47


class ActivationType(Enum):
    """Of add_activation()."""

    RELU = 0
    SIGMOID = 1
    TANH = 2
    LEAKY_RELU = 3
    ELU = 4
    SELU = 5
    SOFTSIGN = 6
    SOFTPLUS = 7
    CLIP = 8
    HARD_SIGMOID = 9
    SCALED_TANH = 10
    THRESHOLDED_RELU = 11
    GELU_ERF = 12
    GELU_TANH = 13


class PoolingType(Enum):
    """Of add_pooling_nd()."""

    MAX = 0
    AVERAGE = 1
    MAX_AVERAGE_BLEND = 2


class PaddingMode(Enum):
    """How output sizes of convolutions and pooling are rounded."""

    EXPLICIT_ROUND_DOWN = 0
    EXPLICIT_ROUND_UP = 1
    SAME_UPPER = 2
    SAME_LOWER = 3
    CAFFE_ROUND_DOWN = 4
    CAFFE_ROUND_UP = 5


class ElementWiseOperation(Enum):
    """Of add_elementwise()."""

    SUM = 0
    PROD = 1
    MAX = 2
    MIN = 3
    SUB = 4
    DIV = 5
    POW = 6
    FLOOR_DIV = 7
    AND = 8
    OR = 9
    XOR = 10
    EQUAL = 11
    GREATER = 12
    LESS = 13


class UnaryOperation(Enum):
    """Of add_unary()."""

    EXP = 0
    LOG = 1
    SQRT = 2
    RECIP = 3
    ABS = 4
    NEG = 5
    SIN = 6
    COS = 7
    TAN = 8
    SINH = 9
    COSH = 10
    ASIN = 11
    ACOS = 12
    ATAN = 13
    ASINH = 14
    ACOSH = 15
    ATANH = 16
    CEIL = 17
    FLOOR = 18
    ERF = 19
    NOT = 20
    SIGN = 21
    ROUND = 22
    ISINF = 23


class ReduceOperation(Enum):
    """Of add_reduce()."""

    SUM = 0
    PROD = 1
    MAX = 2
    MIN = 3
    AVG = 4


class TopKOperation(Enum):
    """Of add_topk()."""

    MAX = 0
    MIN = 1


class MatrixOperation(Enum):
    """Of add_matrix_multiply()."""

    NONE = 0
    TRANSPOSE = 1
    VECTOR = 2


class ScaleMode(Enum):
    """Of add_scale()."""

    UNIFORM = 0
    CHANNEL = 1
    ELEMENTWISE = 2


class GatherMode(Enum):
    """Of add_gather_v2()."""

    DEFAULT = 0
    ELEMENT = 1
    ND = 2


class SampleMode(Enum):
    """Of ISliceLayer.mode and grid samples."""

    STRICT_BOUNDS = 0
    DEFAULT = 0
    WRAP = 1
    CLAMP = 2
    FILL = 3
    REFLECT = 4


class InterpolationMode(Enum):
    """Of IResizeLayer.resize_mode."""

    NEAREST = 0
    LINEAR = 1
    CUBIC = 2


class ResizeCoordinateTransformation(Enum):
    """Of IResizeLayer.coordinate_transformation."""

    ALIGN_CORNERS = 0
    ASYMMETRIC = 1
    HALF_PIXEL = 2


class ResizeSelector(Enum):
    """Of IResizeLayer.selector_for_single_pixel."""

    FORMULA = 0
    UPPER = 1


class ResizeRoundMode(Enum):
    """Of IResizeLayer.nearest_rounding."""

    HALF_UP = 0
    HALF_DOWN = 1
    FLOOR = 2
    CEIL = 3
