# SPDX-License-Identifier: Apache-2.0
"""TensorRT's enumerations of layers, with the values of release 8.6."""
from ferry.compat._offered import Enum


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
