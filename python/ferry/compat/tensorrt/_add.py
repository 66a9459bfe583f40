# SPDX-License-Identifier: Apache-2.0
"""The add_...() methods of INetworkDefinition."""
from typing import Any, List, Optional

from ferry.compat._offered import removed
from ferry.compat.tensorrt import _layers_shape as shape_layers
from ferry.compat.tensorrt import _layers_values as values
from ferry.compat.tensorrt import _layers_window as window
from ferry.compat.tensorrt._layer import ILayer
from ferry.compat.tensorrt._layer_enums import (ActivationType, ElementWiseOperation, GatherMode, MatrixOperation,
                                                PoolingType, ReduceOperation, ScaleMode, TopKOperation, UnaryOperation)
from ferry.compat.tensorrt._tensor import ITensor
from ferry.compat.tensorrt._types import DataType


class LayerAdder:
    """Each adds a layer and returns it; its fields may be set afterwards, and get_output(0) is what it makes."""

    def _add(self, layer: ILayer) -> Any:
        self._added.append(layer)
        return layer

    # --- Windows -----------------------------------------------------------------------------------------------------

    def add_convolution_nd(self, input: ITensor, num_output_maps: int, kernel_shape: Any, kernel: Any,
                           bias: Any = None) -> window.IConvolutionLayer:
        """A convolution. kernel: [output maps, input channels / groups, ...] elements."""
        return self._add(window.IConvolutionLayer(self, [input], num_output_maps=num_output_maps,
                                                  kernel_size_nd=kernel_shape, kernel=kernel, bias=bias))

    def add_deconvolution_nd(self, input: ITensor, num_output_maps: int, kernel_shape: Any, kernel: Any,
                             bias: Any = None) -> window.IDeconvolutionLayer:
        """A transposed convolution. kernel: [input channels, output maps / groups, ...] elements."""
        return self._add(window.IDeconvolutionLayer(self, [input], num_output_maps=num_output_maps,
                                                    kernel_size_nd=kernel_shape, kernel=kernel, bias=bias))

    def add_pooling_nd(self, input: ITensor, type: PoolingType, window_size: Any) -> window.IPoolingLayer:
        """Pooling."""
        return self._add(window.IPoolingLayer(self, [input], pooling=type, window_size_nd=window_size))

    def add_padding_nd(self, input: ITensor, pre_padding: Any, post_padding: Any) -> window.IPaddingLayer:
        """Zeros around."""
        return self._add(window.IPaddingLayer(self, [input], pre_padding_nd=pre_padding, post_padding_nd=post_padding))

    add_convolution = removed("9.3", "use add_convolution_nd()")(add_convolution_nd)
    add_deconvolution = removed("9.3", "use add_deconvolution_nd()")(add_deconvolution_nd)
    add_pooling = removed("9.3", "use add_pooling_nd()")(add_pooling_nd)
    add_padding = removed("9.3", "use add_padding_nd()")(add_padding_nd)

    def add_lrn(self, input: ITensor, window: int, alpha: float, beta: float, k: float) -> ILayer:
        """Local response normalisation."""
        return self._add(_lrn(self, [input], window_size=window, alpha=alpha, beta=beta, k=k))

    # --- Values ------------------------------------------------------------------------------------------------------

    def add_constant(self, shape: Any, weights: Any) -> values.IConstantLayer:
        """A constant."""
        return self._add(values.IConstantLayer(self, [], shape=shape, weights=weights))

    def add_activation(self, input: ITensor, type: ActivationType) -> values.IActivationLayer:
        """An activation."""
        return self._add(values.IActivationLayer(self, [input], activation=type))

    def add_elementwise(self, input1: ITensor, input2: ITensor, op: ElementWiseOperation) -> values.IElementWiseLayer:
        """Arithmetic, logic or a comparison of two tensors."""
        return self._add(values.IElementWiseLayer(self, [input1, input2], op=op))

    def add_unary(self, input: ITensor, op: UnaryOperation) -> values.IUnaryLayer:
        """A function of each element."""
        return self._add(values.IUnaryLayer(self, [input], op=op))

    def add_matrix_multiply(self, input0: ITensor, op0: MatrixOperation, input1: ITensor,
                            op1: MatrixOperation) -> values.IMatrixMultiplyLayer:
        """A product of matrices."""
        return self._add(values.IMatrixMultiplyLayer(self, [input0, input1], op0=_operation(op0), op1=_operation(op1)))

    @removed("9.3", "use add_constant() and add_matrix_multiply()")
    def add_fully_connected(self, input: ITensor, num_outputs: int, kernel: Any,
                            bias: Any = None) -> values.IFullyConnectedLayer:
        """A fully connected layer. kernel: [outputs, inputs] elements."""
        return self._add(values.IFullyConnectedLayer(self, [input], num_output_channels=num_outputs, kernel=kernel,
                                                     bias=bias))

    def add_scale(self, input: ITensor, mode: ScaleMode, shift: Any = None, scale: Any = None,
                  power: Any = None) -> values.IScaleLayer:
        """(x * scale + shift) ** power."""
        return self._add(values.IScaleLayer(self, [input], mode=mode, shift=shift, scale=scale, power=power))

    def add_scale_nd(self, input: ITensor, mode: ScaleMode, shift: Any = None, scale: Any = None, power: Any = None,
                     channel_axis: int = 1) -> values.IScaleLayer:
        """The same along another dimension."""
        return self._add(values.IScaleLayer(self, [input], mode=mode, shift=shift, scale=scale, power=power,
                                            channel_axis=channel_axis))

    def add_reduce(self, input: ITensor, op: ReduceOperation, axes: int, keep_dims: bool) -> values.IReduceLayer:
        """A sum, product, extreme or mean over the dimensions of a bit mask."""
        return self._add(values.IReduceLayer(self, [input], op=op, axes=axes, keep_dims=keep_dims))

    def add_softmax(self, input: ITensor) -> values.ISoftMaxLayer:
        """Softmax."""
        return self._add(values.ISoftMaxLayer(self, [input]))

    def add_topk(self, input: ITensor, op: TopKOperation, k: int, axes: int) -> values.ITopKLayer:
        """The largest or smallest values and their places."""
        return self._add(values.ITopKLayer(self, [input], 2, op=op, k=k, axes=axes))

    def add_parametric_relu(self, input: ITensor, slopes: ITensor) -> values.IParametricReLULayer:
        """A leaky ReLU with slopes of a tensor."""
        return self._add(values.IParametricReLULayer(self, [input, slopes]))

    def add_identity(self, input: ITensor) -> values.IIdentityLayer:
        """The same tensor; with set_output_type() of another type."""
        return self._add(values.IIdentityLayer(self, [input]))

    def add_cast(self, input: ITensor, to_type: DataType) -> values.ICastLayer:
        """A conversion."""
        return self._add(values.ICastLayer(self, [input], to_type=to_type))

    def add_quantize(self, input: ITensor, scale: ITensor, output_type: DataType = DataType.INT8) -> ILayer:
        """To INT8."""
        return self._add(values.IQuantizeLayer(self, [input, scale]))

    def add_dequantize(self, input: ITensor, scale: ITensor, output_type: DataType = DataType.FLOAT) -> ILayer:
        """From INT8."""
        return self._add(values.IDequantizeLayer(self, [input, scale]))

    # --- Shapes ------------------------------------------------------------------------------------------------------

    def add_shuffle(self, input: ITensor) -> shape_layers.IShuffleLayer:
        """Transpositions and another shape."""
        return self._add(shape_layers.IShuffleLayer(self, [input]))

    def add_concatenation(self, inputs: List[ITensor]) -> shape_layers.IConcatenationLayer:
        """Tensors one behind the other."""
        return self._add(shape_layers.IConcatenationLayer(self, inputs))

    def add_slice(self, input: ITensor, start: Any, shape: Any, stride: Any) -> shape_layers.ISliceLayer:
        """A part of a tensor."""
        return self._add(shape_layers.ISliceLayer(self, [input], start=start, shape=shape, stride=stride))

    def add_gather(self, input: ITensor, indices: ITensor, axis: int) -> shape_layers.IGatherLayer:
        """What lies at indices along a dimension."""
        return self._add(shape_layers.IGatherLayer(self, [input, indices], axis=axis))

    def add_gather_v2(self, input: ITensor, indices: ITensor, mode: GatherMode) -> shape_layers.IGatherLayer:
        """The same in one of three ways."""
        return self._add(shape_layers.IGatherLayer(self, [input, indices], mode=mode))

    def add_shape(self, input: ITensor) -> shape_layers.IShapeLayer:
        """A shape as a tensor."""
        return self._add(shape_layers.IShapeLayer(self, [input]))

    def add_select(self, condition: ITensor, then_input: ITensor, else_input: ITensor) -> shape_layers.ISelectLayer:
        """Elements of one tensor or the other."""
        return self._add(shape_layers.ISelectLayer(self, [condition, then_input, else_input]))

    def add_resize(self, input: ITensor) -> shape_layers.IResizeLayer:
        """Another size, by interpolation."""
        return self._add(shape_layers.IResizeLayer(self, [input]))

    def add_normalization(self, input: ITensor, scale: ITensor, bias: ITensor,
                          axesMask: int) -> shape_layers.INormalizationLayer:
        """Instance, layer or group normalisation."""
        return self._add(shape_layers.INormalizationLayer(self, [input, scale, bias], axes=axesMask))

    def remove_tensor(self, tensor: Optional[ITensor]) -> None:
        """What no output needs is left out of the engine in any case."""


_lrn = window.ILRNLayer


def _operation(op: Any) -> MatrixOperation:
    """Older scripts say False and True."""
    return op if isinstance(op, MatrixOperation) else MatrixOperation(int(op))
