# SPDX-License-Identifier: Apache-2.0
"""ITensor: an input, a layer's output, or a tensor of a parsed model, by what is known of it before building."""
from typing import Any, Optional, Tuple

import ferry
from ferry.compat._offered import Shim, refused, removed, removed_property
from ferry.compat.tensorrt._enums import TensorFormat, TensorLocation
from ferry.compat.tensorrt._types import DataType, Dims

_QDQ = "quantise the model itself (Q/DQ nodes)"


class ITensor(Shim):
    """A tensor of a network. Its shape is known once the network is valid up to it.

    Edits are kept here and applied to ferry's network when that is made; where it exists already, at once."""

    def __init__(self, network: Any, layer: Any = None, index: int = 0, made: Optional[int] = None) -> None:
        self._network = network
        self._layer = layer  # what makes it, where the script added that
        self._index = index  # among the layer's outputs
        self._number = made  # of ferry's tensor, where a parsed model has it
        self._name: Optional[str] = None
        self._shape: Optional[Tuple[int, ...]] = None
        self._range: Optional[Tuple[float, float]] = None
        self._input: Optional[Tuple[str, DataType]] = None

    def _made(self) -> ferry.Tensor:
        return self._network._value(self)

    # --- What it is --------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Its name: of bindings, calibration caches and layer precisions."""
        if self._name is not None:
            return self._name
        if self._layer is not None:
            return self._layer._output_name(self._index)
        return self._made().name

    @name.setter
    def name(self, name: str) -> None:
        made = self._network._made_already(self)
        if made is not None:
            made.name = name
        self._name = name

    @property
    def shape(self) -> Dims:
        """Its shape, -1 for open dimensions. That of an input may be set."""
        shape = self._made().shape
        if shape is None:
            raise ValueError("the number of dimensions of tensor '%s' is not known before it runs" % self.name)
        return Dims(shape)

    @shape.setter
    def shape(self, shape: Any) -> None:
        dims = tuple(Dims(shape))
        if not self.is_network_input:
            raise ValueError("tensor '%s' is no network input: its shape follows from those" % self.name)
        made = self._network._made_already(self)
        if made is not None:
            made.shape = dims
        self._shape = dims

    @property
    def dtype(self) -> DataType:
        """Its element type."""
        return DataType.of(self._made().data_type)

    @dtype.setter
    def dtype(self, dtype: DataType) -> None:
        if dtype != self.dtype:
            raise refused("another type (%s) for tensor '%s', which is %s" % (dtype, self.name, self.dtype),
                          "bindings have their model's types: convert the data, or put a Cast into the model")

    @property
    def is_network_input(self) -> bool:
        """Whether it is an input of the network."""
        return self._input is not None or self._number is not None and self._made().is_input

    @property
    def is_network_output(self) -> bool:
        """Whether it is an output of the network."""
        return self in self._network._outputs

    @property
    def is_shape_tensor(self) -> bool:
        """Whether only its value as a shape is wanted: ferry makes no difference."""
        return False

    @property
    def is_execution_tensor(self) -> bool:
        """Whether it is computed like any other."""
        return True

    def get_dimension_name(self, index: int) -> Optional[str]:
        """What the model calls an open dimension."""
        return self._made().dim_names[index]

    # --- INT8 range --------------------------------------------------------------------------------------------------

    @removed("10.16", _QDQ)
    def set_dynamic_range(self, min: float, max: float) -> bool:
        """Says that the values lie in [min, max]: the scale is then max(|min|, |max|) / 127, whatever calibration
        says."""
        self._set_range((min, max))
        return True

    def _set_range(self, limits: Any) -> None:
        low, high = map(float, limits)
        amax = max(abs(low), abs(high))
        if not low <= high or not 0 < amax < float("inf"):
            raise ValueError("the dynamic range [%g, %g] of tensor '%s' is none" % (low, high, self.name))
        made = self._network._made_already(self)
        if made is not None:
            made.dynamic_range = amax
        self._range = (low, high)

    dynamic_range = removed_property(lambda self: self._range, _set_range, "10.16", _QDQ)

    @removed("10.16", _QDQ)
    def reset_dynamic_range(self) -> None:
        """Takes it back."""
        made = self._network._made_already(self)
        if made is not None:
            made.dynamic_range = None
        self._range = None

    # --- Where and how it lies ---------------------------------------------------------------------------------------

    @property
    def location(self) -> TensorLocation:
        """Inputs and outputs lie on the device."""
        return TensorLocation.DEVICE

    @location.setter
    def location(self, location: TensorLocation) -> None:
        if location != TensorLocation.DEVICE:
            raise refused("%s for tensor '%s'" % (location, self.name), "inputs and outputs lie in device memory")

    @property
    def allowed_formats(self) -> int:
        """Layouts that the tensor may have as an input or output, as bits: LINEAR."""
        return 1 << int(TensorFormat.LINEAR)

    @allowed_formats.setter
    def allowed_formats(self, formats: int) -> None:
        if not int(formats) >> int(TensorFormat.LINEAR) & 1:
            raise refused("formats 0x%x without LINEAR for tensor '%s'" % (formats, self.name),
                          "inputs and outputs of ferry's engines are dense and row-major: allow LINEAR")

    @property
    def broadcast_across_batch(self) -> bool:
        """Of implicit batches only."""
        return False

    # --- For the network ---------------------------------------------------------------------------------------------

    def _apply(self, made: ferry.Tensor) -> None:
        """Brings the edits to ferry's tensor."""
        if self._name is not None and made.name != self._name:
            made.name = self._name
        if self._shape is not None and made.shape != self._shape:
            made.shape = self._shape
        if self._range is not None:
            made.dynamic_range = max(map(abs, self._range))

    def __repr__(self) -> str:
        return "<tensorrt.ITensor '%s'>" % self.name
