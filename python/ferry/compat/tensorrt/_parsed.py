# SPDX-License-Identifier: Apache-2.0
"""Layers of a parsed model: one for each ONNX node, to be looked at, renamed and given a precision."""
from typing import Any, List

import ferry
from ferry.compat.tensorrt._layer import ILayer
from ferry.compat.tensorrt._layer_enums import LayerType

# What TensorRT's parser makes of ONNX's operators.
_TYPES = {LayerType[kind]: operators.split() for kind, operators in {
    "CONVOLUTION": "Conv ConvInteger QLinearConv",
    "DECONVOLUTION": "ConvTranspose",
    "FULLY_CONNECTED": "Gemm",
    "MATRIX_MULTIPLY": "MatMul MatMulInteger QLinearMatMul",
    "ACTIVATION": "Relu Sigmoid Tanh LeakyRelu Elu Selu Softsign Softplus Clip HardSigmoid HardSwish ThresholdedRelu "
                  "Gelu Celu Mish",
    "PARAMETRIC_RELU": "PRelu",
    "POOLING": "MaxPool AveragePool GlobalAveragePool GlobalMaxPool LpPool GlobalLpPool",
    "LRN": "LRN",
    "SCALE": "BatchNormalization",
    "NORMALIZATION": "InstanceNormalization LayerNormalization GroupNormalization",
    "SOFTMAX": "Softmax LogSoftmax",
    "CONCATENATION": "Concat",
    "ELEMENTWISE": "Add Sub Mul Div Pow Max Min Sum Mean And Or Xor Equal Greater Less GreaterOrEqual LessOrEqual Mod",
    "UNARY": "Exp Log Sqrt Reciprocal Abs Neg Sin Cos Tan Sinh Cosh Asin Acos Atan Asinh Acosh Atanh Ceil Floor Erf "
             "Not Sign Round IsInf IsNaN",
    "SHUFFLE": "Reshape Transpose Squeeze Unsqueeze Flatten DepthToSpace SpaceToDepth",
    "REDUCE": "ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum "
              "ReduceLogSumExp",
    "TOPK": "TopK ArgMax ArgMin",
    "GATHER": "Gather GatherElements GatherND",
    "SCATTER": "ScatterElements ScatterND Scatter",
    "SLICE": "Slice Split Expand Tile",
    "PADDING": "Pad",
    "SHAPE": "Shape Size",
    "CONSTANT": "Constant ConstantOfShape",
    "IDENTITY": "Identity Dropout",
    "CAST": "Cast CastLike",
    "RESIZE": "Resize Upsample",
    "SELECT": "Where",
    "FILL": "Range RandomNormal RandomUniform EyeLike",
    "QUANTIZE": "QuantizeLinear DynamicQuantizeLinear",
    "DEQUANTIZE": "DequantizeLinear",
    "EINSUM": "Einsum",
    "ONE_HOT": "OneHot",
    "NON_ZERO": "NonZero",
    "GRID_SAMPLE": "GridSample",
    "NMS": "NonMaxSuppression",
    "REVERSE_SEQUENCE": "ReverseSequence",
    "RNN_V2": "LSTM GRU RNN",
}.items()}
_BY_OPERATOR = {operator: kind for kind, operators in _TYPES.items() for operator in operators}


class ParsedLayer(ILayer):
    """A node of the model. What the operator's attributes say is fixed."""

    def __init__(self, network: Any, number: int) -> None:
        node = network._net.node(number)
        self._network = network
        self._number = number
        self._name = None
        self._operator = node.op_type
        self._inputs = [None if t is None else network._tensor(t) for t in node.inputs]
        self._outputs = [network._tensor(t) for t in node.outputs if t is not None]
        self._fields = {}
        self._precision = None
        self._output_types = {}
        self._made_nodes = []

    @property
    def type(self) -> LayerType:
        """Its kind: what TensorRT's parser makes of such a node, PLUGIN where it knows none."""
        return _BY_OPERATOR.get(self._operator, LayerType.PLUGIN)

    @property
    def name(self) -> str:
        """The node's name."""
        return self._network._current().node(self._number).name if self._name is None else self._name

    @name.setter
    def name(self, name: str) -> None:
        self._network._current().node(self._number).name = name
        self._name = name

    def set_input(self, index: int, tensor: Any) -> None:
        """Not of a parsed model."""
        raise ferry.UnsupportedError("layer '%s': the inputs of a parsed model's layers are fixed; change the ONNX "
                                     "model (onnx, onnx-graphsurgeon), or add layers behind it" % self.name)

    def __setattr__(self, name: str, value: Any) -> None:
        # Scripts assign __class__ to reach the fields of a layer's kind. Here reading one says where it is to be found.
        if name != "__class__":
            super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise AttributeError("'%s' of layer '%s' (%s): of a parsed model's layers only what all kinds share is offered "
                             "by ferry.compat; the ONNX model has the operator's attributes" % (
                                 name, self.name, self._operator))

    def _as_layer(self) -> ILayer:
        return self

    def _nodes(self) -> List[str]:
        return [self.name]

    def _apply(self, net: ferry.Network) -> None:
        if self._name is not None:
            net.node(self._number).name = self._name
