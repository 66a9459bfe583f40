# SPDX-License-Identifier: Apache-2.0
"""Layers on values: activations, arithmetic, matrices, scales, reductions, softmax, conversions."""
from typing import Any, List

import numpy

import ferry
from ferry.compat._offered import refused
from ferry.compat.tensorrt._layer import Emitter, Field, ILayer, array_of, axes_of
from ferry.compat.tensorrt._layer_enums import (ActivationType, ElementWiseOperation, LayerType, MatrixOperation,
                                                ReduceOperation, ScaleMode, TopKOperation, UnaryOperation)
from ferry.compat.tensorrt._types import DataType, Dims


class IConstantLayer(ILayer):
    """add_constant()."""

    TYPE, KIND = LayerType.CONSTANT, "Constant"
    shape = Field(None, Dims)
    weights = Field(None, array_of)

    def emit(self, to: Emitter) -> Any:
        """A constant tensor, which is no node of ONNX's."""
        return to.net.add_constant(self.weights.reshape(tuple(self.shape)))


class IActivationLayer(ILayer):
    """add_activation(). alpha and beta mean what ActivationType says of each kind."""

    TYPE, KIND = LayerType.ACTIVATION, "Activation"
    activation = Field(ActivationType.RELU)
    alpha = Field(0.0, float)
    beta = Field(0.0, float)
    _PLAIN = {ActivationType.RELU: "Relu", ActivationType.SIGMOID: "Sigmoid", ActivationType.TANH: "Tanh",
              ActivationType.SOFTSIGN: "Softsign"}
    _ALPHA = {ActivationType.LEAKY_RELU: "LeakyRelu", ActivationType.ELU: "Elu",
              ActivationType.THRESHOLDED_RELU: "ThresholdedRelu"}

    @property
    def type(self) -> Any:
        """Which activation; of other layers this is the kind of layer."""
        return self.activation

    @type.setter
    def type(self, kind: ActivationType) -> None:
        self.activation = kind

    def emit(self, to: Emitter, x: ferry.Tensor) -> Any:
        """The operator of that name, or its formula."""
        kind, alpha, beta = self.activation, self.alpha, self.beta
        if kind in self._PLAIN:
            return to.node(self._PLAIN[kind], x)
        if kind in self._ALPHA:
            return to.node(self._ALPHA[kind], x, alpha=alpha)
        if kind == ActivationType.SELU:
            return to.node("Selu", x, alpha=alpha, gamma=beta)
        if kind == ActivationType.HARD_SIGMOID:
            return to.node("HardSigmoid", x, alpha=alpha, beta=beta)
        if kind == ActivationType.CLIP:
            return to.node("Clip", x, to.scalar(x, alpha), to.scalar(x, beta))
        if kind in (ActivationType.GELU_ERF, ActivationType.GELU_TANH):
            return to.node("Gelu", x, approximate="tanh" if kind == ActivationType.GELU_TANH else "none")
        if kind == ActivationType.SCALED_TANH:
            return to.node("Mul", to.node("Tanh", to.node("Mul", x, to.scalar(x, beta))), to.scalar(x, alpha))
        if kind == ActivationType.SOFTPLUS:
            return to.node("Mul", to.node("Softplus", to.node("Mul", x, to.scalar(x, beta))), to.scalar(x, alpha))
        raise refused(str(kind), "express it in other layers")


class IElementWiseLayer(ILayer):
    """add_elementwise()."""

    TYPE, KIND = LayerType.ELEMENTWISE, "ElementWise"
    op = Field(ElementWiseOperation.SUM)
    _OPS = {ElementWiseOperation.SUM: "Add", ElementWiseOperation.PROD: "Mul", ElementWiseOperation.MAX: "Max",
            ElementWiseOperation.MIN: "Min", ElementWiseOperation.SUB: "Sub", ElementWiseOperation.DIV: "Div",
            ElementWiseOperation.POW: "Pow", ElementWiseOperation.AND: "And", ElementWiseOperation.OR: "Or",
            ElementWiseOperation.XOR: "Xor", ElementWiseOperation.EQUAL: "Equal",
            ElementWiseOperation.GREATER: "Greater", ElementWiseOperation.LESS: "Less"}

    def emit(self, to: Emitter, a: ferry.Tensor, b: ferry.Tensor) -> Any:
        """The operator of that name; a division rounded down is two."""
        if len(a.shape) != len(b.shape):
            raise ValueError("its inputs have %d and %d dimensions: both need the same number, 1 where one is spread"
                             % (len(a.shape), len(b.shape)))
        if self.op == ElementWiseOperation.FLOOR_DIV:
            return self._floor_div(to, a, b)
        return to.node(self._OPS[self.op], a, b)

    @staticmethod
    def _floor_div(to: Emitter, a: ferry.Tensor, b: ferry.Tensor) -> Any:
        if a.dtype.kind == "f":
            return to.node("Floor", to.node("Div", a, b))
        # Integers are divided towards zero in ONNX: subtracting the remainder of the divisor's sign first is exact.
        return to.node("Div", to.node("Sub", a, to.node("Mod", a, b)), b)


class IUnaryLayer(ILayer):
    """add_unary()."""

    TYPE, KIND = LayerType.UNARY, "Unary"
    op = Field(UnaryOperation.ABS)
    _OPS = {UnaryOperation.RECIP: "Reciprocal", UnaryOperation.ISINF: "IsInf"}

    def emit(self, to: Emitter, x: ferry.Tensor) -> Any:
        """The operator of that name: ONNX has all of them."""
        return to.node(self._OPS.get(self.op, self.op.name.capitalize()), x)


class IMatrixMultiplyLayer(ILayer):
    """add_matrix_multiply()."""

    TYPE, KIND = LayerType.MATRIX_MULTIPLY, "Matrix Multiply"
    op0 = Field(MatrixOperation.NONE)
    op1 = Field(MatrixOperation.NONE)

    def emit(self, to: Emitter, a: ferry.Tensor, b: ferry.Tensor) -> Any:
        """MatMul, with transpositions, and vectors as matrices of one row or column."""
        a, a_vector = self._side(to, a, self.op0, -2)
        b, b_vector = self._side(to, b, self.op1, -1)
        made = to.node("MatMul", a, b)
        gone = [axis for axis, vector in ((-2, a_vector), (-1, b_vector)) if vector]
        return to.node("Squeeze", made, to.ints(gone)) if gone else made

    @staticmethod
    def _side(to: Emitter, x: ferry.Tensor, op: MatrixOperation, axis: int) -> Any:
        if op == MatrixOperation.VECTOR:
            return to.node("Unsqueeze", x, to.ints([axis])), True
        if op == MatrixOperation.TRANSPOSE:
            order = list(range(len(x.shape)))
            order[-2:] = reversed(order[-2:])
            return to.node("Transpose", x, perm=order), False
        return x, False


class IFullyConnectedLayer(ILayer):
    """add_fully_connected(): the last three dimensions are one; the result has them as (outputs, 1, 1)."""

    TYPE, KIND = LayerType.FULLY_CONNECTED, "Fully Connected"
    num_output_channels = Field(1, int)
    kernel = Field(None, array_of)
    bias = Field(None, array_of)

    def emit(self, to: Emitter, x: ferry.Tensor) -> Any:
        """Flatten and Gemm."""
        if len(x.shape) != 4:
            raise ValueError("its input has %d dimensions, and 4 are needed (add_matrix_multiply() takes others)"
                             % len(x.shape))
        n = self.num_output_channels
        inputs = int(numpy.prod(x.shape[1:]))
        if self.kernel.size != n * inputs:
            raise ValueError("the kernel has %d weights, and %d outputs of %d inputs make %d" % (
                self.kernel.size, n, inputs, n * inputs))
        bias = () if self.bias is None or not self.bias.size else (self.bias.reshape(n),)
        made = to.node("Gemm", to.node("Flatten", x, axis=1), self.kernel.reshape(n, inputs), *bias, transB=1)
        return to.node("Unsqueeze", made, to.ints([2, 3]))


class IScaleLayer(ILayer):
    """add_scale(): (x * scale + shift) ** power."""

    TYPE, KIND = LayerType.SCALE, "Scale"
    mode = Field(ScaleMode.UNIFORM)
    shift = Field(None, array_of)
    scale = Field(None, array_of)
    power = Field(None, array_of)
    channel_axis = Field(1, int)

    def emit(self, to: Emitter, x: ferry.Tensor) -> Any:
        """Mul, Add and Pow, of which those that change nothing are left out."""
        made = x
        for op, weights, neutral in (("Mul", self.scale, 1), ("Add", self.shift, 0), ("Pow", self.power, 1)):
            if weights is not None and weights.size and not numpy.all(weights == neutral):
                made = to.node(op, made, self._spread(weights, x))
        return made if made is not x else to.node("Identity", x)

    def _spread(self, weights: numpy.ndarray, x: ferry.Tensor) -> numpy.ndarray:
        rank = len(x.shape)
        if self.mode == ScaleMode.ELEMENTWISE:
            return weights.reshape((1,) + tuple(x.shape[1:]))
        if self.mode == ScaleMode.CHANNEL:
            return weights.reshape([-1 if d == self.channel_axis else 1 for d in range(rank)])
        return weights.reshape([1] * rank)


class IReduceLayer(ILayer):
    """add_reduce(). axes is a bit mask."""

    TYPE, KIND = LayerType.REDUCE, "Reduce"
    op = Field(ReduceOperation.SUM)
    axes = Field(0, int)
    keep_dims = Field(False, bool)
    _OPS = {ReduceOperation.SUM: "ReduceSum", ReduceOperation.PROD: "ReduceProd", ReduceOperation.MAX: "ReduceMax",
            ReduceOperation.MIN: "ReduceMin", ReduceOperation.AVG: "ReduceMean"}

    def emit(self, to: Emitter, x: ferry.Tensor) -> Any:
        """The operator of that name."""
        return to.node(self._OPS[self.op], x, to.ints(axes_of(self.axes)), keepdims=int(self.keep_dims))


class ISoftMaxLayer(ILayer):
    """add_softmax(). axes is a bit mask of one bit: by default the third dimension from the end."""

    TYPE, KIND = LayerType.SOFTMAX, "Softmax"
    axes = Field(None, int)

    def emit(self, to: Emitter, x: ferry.Tensor) -> Any:
        """Softmax."""
        axes = [max(len(x.shape) - 3, 0)] if self.axes is None else axes_of(self.axes)
        if len(axes) != 1:
            raise ValueError("softmax runs along one dimension, and axes names %d" % len(axes))
        return to.node("Softmax", x, axis=axes[0])


class ITopKLayer(ILayer):
    """add_topk(): values and INT32 indices of the k largest or smallest along one dimension."""

    TYPE, KIND = LayerType.TOPK, "TopK"
    op = Field(TopKOperation.MAX)
    k = Field(1, int)
    axes = Field(0, int)

    def emit(self, to: Emitter, x: ferry.Tensor, *more: Any) -> List[Any]:
        """TopK."""
        axes = axes_of(self.axes)
        if len(axes) != 1:
            raise ValueError("TopK runs along one dimension, and axes names %d" % len(axes))
        k = to.ints([self.k]) if not more or more[0] is None else to.node("Reshape", to.as_int64(more[0]), to.ints([1]))
        values, indices = to.node("TopK", x, k, outputs=2, axis=axes[0], largest=int(self.op == TopKOperation.MAX))
        return [values, to.as_int32(indices)]


class IParametricReLULayer(ILayer):
    """add_parametric_relu()."""

    TYPE, KIND = LayerType.PARAMETRIC_RELU, "Parametric ReLU"

    def emit(self, to: Emitter, x: ferry.Tensor, slopes: ferry.Tensor) -> Any:
        """PRelu."""
        return to.node("PRelu", x, slopes)


class IIdentityLayer(ILayer):
    """add_identity(); with set_output_type() a conversion."""

    TYPE, KIND = LayerType.IDENTITY, "Identity"

    def set_output_type(self, index: int, dtype: DataType) -> None:
        """What it converts to."""
        super().set_output_type(index, dtype)
        self._network._changed(self)

    def emit(self, to: Emitter, x: ferry.Tensor) -> Any:
        """Identity or Cast."""
        return to.cast(x, self._output_types[0]) if 0 in self._output_types else to.node("Identity", x)


class ICastLayer(ILayer):
    """add_cast()."""

    TYPE, KIND = LayerType.CAST, "Cast"
    to_type = Field(DataType.FLOAT)

    def emit(self, to: Emitter, x: ferry.Tensor) -> Any:
        """Cast."""
        return to.cast(x, self.to_type)


class IQuantizeLayer(ILayer):
    """add_quantize(): to INT8 with a scale, or one for each place along `axis`."""

    TYPE, KIND = LayerType.QUANTIZE, "Quantize"
    axis = Field(-1, int)
    OP = "QuantizeLinear"

    def emit(self, to: Emitter, x: ferry.Tensor, scale: ferry.Tensor) -> Any:
        """QuantizeLinear, with a zero point of 0."""
        count = 1
        for d in scale.shape:
            count *= d
        if count == 1:
            scale = to.node("Reshape", scale, to.ints([]))
        zero = numpy.zeros(scale.shape, numpy.int8)
        return to.node(self.OP, x, scale, zero, axis=self.axis if count > 1 else None)


class IDequantizeLayer(IQuantizeLayer):
    """add_dequantize(): the way back."""

    TYPE, KIND = LayerType.DEQUANTIZE, "Dequantize"
    OP = "DequantizeLinear"
