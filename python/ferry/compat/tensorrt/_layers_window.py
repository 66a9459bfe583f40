# SPDX-License-Identifier: Apache-2.0
"""Layers with a window that slides: convolutions, pooling, padding, local normalisation."""
from typing import Any, Dict

import numpy

import ferry
from ferry.compat._offered import refused
from ferry.compat.tensorrt._layer import Emitter, Field, ILayer, Renamed, array_of
from ferry.compat.tensorrt._layer_enums import LayerType, PaddingMode, PoolingType
from ferry.compat.tensorrt._types import Dims, DimsHW

_SAME = {PaddingMode.SAME_UPPER: "SAME_UPPER", PaddingMode.SAME_LOWER: "SAME_LOWER"}


def _hw(value: Any) -> Dims:
    """A pair, of a pair or of one number for both."""
    return DimsHW((value, value)) if hasattr(value, "__index__") else Dims(value)


class Window(ILayer):
    """What they share. Sizes of all spatial dimensions are set at once."""

    stride_nd = Field(lambda layer: layer._all(1), _hw)
    pre_padding = Field(lambda layer: layer._all(0), _hw)
    post_padding = Field(lambda layer: layer._all(0), _hw)
    padding_mode = Field(PaddingMode.EXPLICIT_ROUND_DOWN)
    stride = Renamed("stride_nd")
    padding = Renamed("padding_nd")

    @property
    def padding_nd(self) -> Any:
        """The padding before, which is that behind too where this was set."""
        return self.pre_padding

    @padding_nd.setter
    def padding_nd(self, padding: Any) -> None:
        self.pre_padding = self.post_padding = padding

    def _size(self) -> Dims:
        """The window."""
        raise NotImplementedError

    def _all(self, value: int) -> Dims:
        return Dims((value,) * len(self._size()))

    def _window(self, kernel: Dims, rounds_up: bool) -> Dict[str, Any]:
        """ONNX's attributes of the window."""
        n = len(kernel)
        known = {"kernel_shape": list(kernel), "strides": self._each("stride_nd", n)}
        mode = self.padding_mode
        if mode in _SAME:
            return dict(known, auto_pad=_SAME[mode])
        if mode == PaddingMode.EXPLICIT_ROUND_UP and rounds_up:
            known["ceil_mode"] = 1
        elif mode != PaddingMode.EXPLICIT_ROUND_DOWN:
            raise refused("%s for a %s layer" % (mode, self.KIND),
                          "use EXPLICIT_ROUND_DOWN, SAME_UPPER or SAME_LOWER, with a padding that gives the same sizes")
        return dict(known, pads=self._each("pre_padding", n) + self._each("post_padding", n))

    def _each(self, name: str, count: int) -> Any:
        value = getattr(self, name)
        if len(value) != count:
            raise ValueError("%s has %d values, and the window %d dimensions" % (name, len(value), count))
        return list(value)


class IConvolutionLayer(Window):
    """add_convolution_nd()."""

    TYPE, KIND = LayerType.CONVOLUTION, "Convolution"
    kernel_size_nd = Field(None, _hw)
    kernel_size = Renamed("kernel_size_nd")
    num_output_maps = Field(1, int)
    num_groups = Field(1, int)
    dilation_nd = Field(lambda layer: layer._all(1), _hw)
    dilation = Renamed("dilation_nd")
    kernel = Field(None, array_of)
    bias = Field(None, array_of)

    def _size(self) -> Dims:
        return self.kernel_size_nd

    def _weights(self, first: int, second: int, inputs: Any) -> Any:
        """The kernel with its shape: as a constant, or as the tensor that was set as input 1."""
        if len(inputs) > 0 and inputs[0] is not None:
            return inputs[0]
        if self.kernel is None or not self.kernel.size:
            raise ValueError("there are no kernel weights, and no tensor as input 1 in their place")
        shape = (first, second) + tuple(self.kernel_size_nd)
        if self.kernel.size != int(numpy.prod(shape)):
            raise ValueError("the kernel has %d weights, and %s makes %d" % (self.kernel.size, list(shape),
                                                                             int(numpy.prod(shape))))
        return self.kernel.reshape(shape)

    def _bias(self, inputs: Any) -> Any:
        if len(inputs) > 1 and inputs[1] is not None:
            return inputs[1]
        return self.bias if self.bias is not None and self.bias.size else None

    def _channels(self, x: ferry.Tensor) -> int:
        shape = x.shape
        if shape is None or len(shape) != len(self.kernel_size_nd) + 2:
            raise ValueError("a kernel %s needs an input of %d dimensions, not %s" % (
                list(self.kernel_size_nd), len(self.kernel_size_nd) + 2, shape))
        if shape[1] < 1:
            raise ValueError("the number of channels of its input is open: %s" % (list(shape),))
        return shape[1]

    def _attributes(self) -> Dict[str, Any]:
        known = self._window(self.kernel_size_nd, rounds_up=False)
        known.update(group=self.num_groups, dilations=self._each("dilation_nd", len(self.kernel_size_nd)))
        return known

    def emit(self, to: Emitter, x: ferry.Tensor, *more: Any) -> Any:
        """Conv."""
        kernel = self._weights(self.num_output_maps, self._channels(x) // self.num_groups, more)
        return to.node("Conv", x, kernel, *_given(self._bias(more)), **self._attributes())


class IDeconvolutionLayer(IConvolutionLayer):
    """add_deconvolution_nd()."""

    TYPE, KIND = LayerType.DECONVOLUTION, "Deconvolution"

    def emit(self, to: Emitter, x: ferry.Tensor, *more: Any) -> Any:
        """ConvTranspose."""
        kernel = self._weights(self._channels(x), self.num_output_maps // self.num_groups, more)
        return to.node("ConvTranspose", x, kernel, *_given(self._bias(more)), **self._attributes())


def _given(value: Any) -> Any:
    return () if value is None else (value,)


class IPoolingLayer(Window):
    """add_pooling_nd(). Its stride is 1 unless set."""

    TYPE, KIND = LayerType.POOLING, "Pooling"
    pooling = Field(PoolingType.MAX)
    window_size_nd = Field(None, _hw)
    window_size = Renamed("window_size_nd")
    average_count_excludes_padding = Field(True, bool)
    blend_factor = Field(0.0, float)

    def _size(self) -> Dims:
        return self.window_size_nd

    @property
    def type(self) -> Any:
        """What is pooled; of other layers this is the kind of layer."""
        return self.pooling

    @type.setter
    def type(self, kind: PoolingType) -> None:
        self.pooling = kind

    def emit(self, to: Emitter, x: ferry.Tensor, *more: Any) -> Any:
        """MaxPool or AveragePool."""
        known = self._window(self.window_size_nd, rounds_up=True)
        if self.pooling == PoolingType.MAX:
            return to.node("MaxPool", x, **known)
        if self.pooling == PoolingType.AVERAGE:
            return to.node("AveragePool", x, count_include_pad=int(not self.average_count_excludes_padding), **known)
        raise refused(str(self.pooling), "add both kinds of pooling and blend them with add_elementwise()")


class IPaddingLayer(ILayer):
    """add_padding_nd(): zeros around the last dimensions; negative sizes cut off."""

    TYPE, KIND = LayerType.PADDING, "Padding"
    pre_padding_nd = Field(None, _hw)
    post_padding_nd = Field(None, _hw)
    pre_padding = Renamed("pre_padding_nd")
    post_padding = Renamed("post_padding_nd")

    def emit(self, to: Emitter, x: ferry.Tensor, *more: Any) -> Any:
        """Pad."""
        rest = len(x.shape) - len(self.pre_padding_nd)
        zeros = [0] * rest
        pads = zeros + list(self.pre_padding_nd) + zeros + list(self.post_padding_nd)
        return to.node("Pad", x, to.ints(pads))


class ILRNLayer(ILayer):
    """add_lrn(): alpha is divided by the window, as in ONNX."""

    TYPE, KIND = LayerType.LRN, "LRN"
    window_size = Field(1, int)
    alpha = Field(0.0, float)
    beta = Field(0.0, float)
    k = Field(1.0, float)

    def emit(self, to: Emitter, x: ferry.Tensor, *more: Any) -> Any:
        """LRN."""
        return to.node("LRN", x, size=self.window_size, alpha=self.alpha, beta=self.beta, bias=self.k)
