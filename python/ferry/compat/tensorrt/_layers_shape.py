# SPDX-License-Identifier: Apache-2.0
"""Layers that move elements: shuffles, concatenations, slices, gathers, resizing, and shapes as tensors."""
from typing import Any, List

import numpy

import ferry
from ferry.compat._offered import refused
from ferry.compat.tensorrt._layer import Emitter, Field, ILayer, axes_of
from ferry.compat.tensorrt._layer_enums import (GatherMode, InterpolationMode, LayerType,
                                                ResizeCoordinateTransformation, ResizeRoundMode, ResizeSelector,
                                                SampleMode)
from ferry.compat.tensorrt._types import Dims, Permutation


class IShuffleLayer(ILayer):
    """add_shuffle(): a transposition, then another shape, then another transposition, each where it is set."""

    TYPE, KIND = LayerType.SHUFFLE, "Shuffle"
    first_transpose = Field(None, Permutation)
    reshape_dims = Field(None, Dims)
    second_transpose = Field(None, Permutation)
    zero_is_placeholder = Field(True, bool)

    def emit(self, to: Emitter, x: ferry.Tensor, *more: Any) -> Any:
        """Transpose, Reshape, Transpose."""
        made = self._turned(to, x, self.first_transpose)
        shape = to.as_int64(more[0]) if more and more[0] is not None else None
        if shape is None and self.reshape_dims is not None:
            shape = to.ints(self.reshape_dims)
        if shape is not None:
            made = to.node("Reshape", made, shape, allowzero=int(not self.zero_is_placeholder))
        made = self._turned(to, made, self.second_transpose)
        return made if made is not x else to.node("Identity", x)

    @staticmethod
    def _turned(to: Emitter, x: Any, order: Any) -> Any:
        return x if order is None else to.node("Transpose", x, perm=list(order)[:len(x.shape)])


class IConcatenationLayer(ILayer):
    """add_concatenation(): along the third dimension from the end unless `axis` is set."""

    TYPE, KIND = LayerType.CONCATENATION, "Concatenation"
    axis = Field(None, int)

    def emit(self, to: Emitter, *inputs: ferry.Tensor) -> Any:
        """Concat."""
        return to.node("Concat", *inputs, axis=max(len(inputs[0].shape) - 3, 0) if self.axis is None else self.axis)


class ISliceLayer(ILayer):
    """add_slice(): `shape` elements from `start` on, every `stride`-th."""

    TYPE, KIND = LayerType.SLICE, "Slice"
    start = Field(None, Dims)
    shape = Field(None, Dims)
    stride = Field(None, Dims)
    mode = Field(SampleMode.STRICT_BOUNDS)

    def emit(self, to: Emitter, x: ferry.Tensor, *more: Any) -> Any:
        """Slice."""
        if self.mode != SampleMode.STRICT_BOUNDS:
            raise refused("%s for a slice" % self.mode, "pad the tensor with add_padding_nd() first, then slice")
        axes = to.ints(range(len(x.shape)))
        if not any(m is not None for m in more):
            start, shape, stride = (numpy.array(list(d), numpy.int64) for d in (self.start, self.shape, self.stride))
            ends = start + shape * stride
            # ONNX counts negative ends from the back; -1 from the front has to be written as before all.
            ends = numpy.where((ends < 0) & (stride < 0), numpy.iinfo(numpy.int64).min + 1, ends)
            return to.node("Slice", x, start, ends, axes, stride)
        start, shape, stride = self._tensors(to, more)
        return to.node("Slice", x, start, to.node("Add", start, to.node("Mul", shape, stride)), axes, stride)

    def _tensors(self, to: Emitter, more: Any) -> List[Any]:
        given = list(more) + [None] * (3 - len(more))
        return [to.as_int64(t) if t is not None else to.net.add_constant(to.ints(d))
                for t, d in zip(given, (self.start, self.shape, self.stride))]


class IGatherLayer(ILayer):
    """add_gather() and add_gather_v2()."""

    TYPE, KIND = LayerType.GATHER, "Gather"
    axis = Field(0, int)
    num_elementwise_dims = Field(0, int)
    mode = Field(GatherMode.DEFAULT)

    def emit(self, to: Emitter, x: ferry.Tensor, indices: ferry.Tensor) -> Any:
        """Gather, GatherElements or GatherND."""
        if self.mode == GatherMode.ELEMENT:
            return to.node("GatherElements", x, indices, axis=self.axis)
        if self.mode == GatherMode.ND:
            return to.node("GatherND", x, to.as_int64(indices), batch_dims=self.num_elementwise_dims)
        if self.num_elementwise_dims:
            raise refused("num_elementwise_dims = %d for add_gather()" % self.num_elementwise_dims,
                          "use GatherMode.ND, whose num_elementwise_dims is offered")
        return to.node("Gather", x, indices, axis=self.axis)


class IShapeLayer(ILayer):
    """add_shape(): the shape as a tensor of INT32."""

    TYPE, KIND = LayerType.SHAPE, "Shape"

    def emit(self, to: Emitter, x: ferry.Tensor) -> Any:
        """Shape and Cast."""
        return to.as_int32(to.node("Shape", x))


class ISelectLayer(ILayer):
    """add_select()."""

    TYPE, KIND = LayerType.SELECT, "Select"

    def emit(self, to: Emitter, condition: ferry.Tensor, yes: ferry.Tensor, no: ferry.Tensor) -> Any:
        """Where."""
        return to.node("Where", condition, yes, no)


class IResizeLayer(ILayer):
    """add_resize(): to a `shape`, or by `scales`."""

    TYPE, KIND = LayerType.RESIZE, "Resize"
    shape = Field(None, Dims)
    scales = Field(None, lambda values: [float(v) for v in values])
    resize_mode = Field(InterpolationMode.NEAREST)
    coordinate_transformation = Field(ResizeCoordinateTransformation.ASYMMETRIC)
    selector_for_single_pixel = Field(ResizeSelector.FORMULA)
    nearest_rounding = Field(ResizeRoundMode.FLOOR)
    cubic_coeff = Field(-0.75, float)
    _MODES = {InterpolationMode.NEAREST: "nearest", InterpolationMode.LINEAR: "linear",
              InterpolationMode.CUBIC: "cubic"}
    _COORDINATES = {ResizeCoordinateTransformation.ALIGN_CORNERS: "align_corners",
                    ResizeCoordinateTransformation.ASYMMETRIC: "asymmetric",
                    ResizeCoordinateTransformation.HALF_PIXEL: "half_pixel"}
    _ROUNDING = {ResizeRoundMode.HALF_UP: "round_prefer_ceil", ResizeRoundMode.HALF_DOWN: "round_prefer_floor",
                 ResizeRoundMode.FLOOR: "floor", ResizeRoundMode.CEIL: "ceil"}

    @property
    def align_corners(self) -> bool:
        """Whether the corners lie upon each other."""
        return self.coordinate_transformation == ResizeCoordinateTransformation.ALIGN_CORNERS

    @align_corners.setter
    def align_corners(self, on: bool) -> None:
        kinds = ResizeCoordinateTransformation
        self.coordinate_transformation = kinds.ALIGN_CORNERS if on else kinds.ASYMMETRIC

    def emit(self, to: Emitter, x: ferry.Tensor, *more: Any) -> Any:
        """Resize."""
        if self.selector_for_single_pixel != ResizeSelector.FORMULA:
            raise refused(str(self.selector_for_single_pixel), "a single pixel is chosen by the formula")
        mode = self._MODES[self.resize_mode]
        known = {"mode": mode, "coordinate_transformation_mode": self._COORDINATES[self.coordinate_transformation]}
        if mode == "nearest":
            known["nearest_mode"] = self._ROUNDING[self.nearest_rounding]
        if mode == "cubic":
            known["cubic_coeff_a"] = self.cubic_coeff
        if more and more[0] is not None:
            return to.node("Resize", x, None, None, to.as_int64(more[0]), **known)
        if self.shape is not None:
            return to.node("Resize", x, None, None, to.ints(self.shape), **known)
        if self.scales is None:
            raise ValueError("neither a shape nor scales are set")
        return to.node("Resize", x, None, numpy.array(self.scales, numpy.float32), **known)


class INormalizationLayer(ILayer):
    """add_normalization(): (x - mean) / sqrt(variance + epsilon) * scale + bias over the axes of a bit mask."""

    TYPE, KIND = LayerType.NORMALIZATION, "Normalization"
    axes = Field(0, int)
    epsilon = Field(1e-5, float)
    num_groups = Field(1, int)

    def emit(self, to: Emitter, x: ferry.Tensor, scale: ferry.Tensor, bias: ferry.Tensor) -> Any:
        """Its formula in single steps, after a reshape into groups where there are some."""
        axes, data = axes_of(self.axes), x
        if self.num_groups != 1:
            channels, rest = x.shape[1], list(x.shape[2:])
            data = to.node("Reshape", x, to.ints([0, self.num_groups, channels // self.num_groups] + rest))
            axes = [2] + [a + 1 for a in axes]
        centred = to.node("Sub", data, to.node("ReduceMean", data, to.ints(axes)))
        variance = to.node("ReduceMean", to.node("Mul", centred, centred), to.ints(axes))
        spread = to.node("Sqrt", to.node("Add", variance, to.scalar(x, self.epsilon)))
        made = to.node("Div", centred, spread)
        if self.num_groups != 1:
            made = to.node("Reshape", made, to.node("Shape", x))
        return to.node("Add", to.node("Mul", made, scale), bias)
