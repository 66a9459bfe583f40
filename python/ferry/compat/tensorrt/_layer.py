# SPDX-License-Identifier: Apache-2.0
"""What all layers have in common: their names, inputs and outputs, precision, and how they become ONNX nodes.

TensorRT's layers are changed after they were added (`conv.stride_nd = (2, 2)`), ferry's nodes are not. So a layer is
a description, which becomes nodes when the network is looked at or built; changing it afterwards makes the network
start again. Each kind of layer is a class with fields, and an emit() that adds nodes."""
import types
from typing import Any, Callable, Dict, List, Optional, Sequence

import numpy

import ferry
from ferry.compat._offered import warn_removed
from ferry.compat.tensorrt._ends import WithEnds
from ferry.compat.tensorrt._layer_enums import LayerType
from ferry.compat.tensorrt._tensor import ITensor
from ferry.compat.tensorrt._types import DataType, Dims, Weights

_PRECISIONS = {DataType.FLOAT: "fp32", DataType.HALF: "fp16", DataType.INT8: "int8", DataType.BF16: "bf16"}


class Field:
    """An attribute of a kind of layer: its default (a value, or a function of the layer) and what converts a value."""

    def __init__(self, default: Any = None, convert: Optional[Callable[[Any], Any]] = None) -> None:
        self.default, self.convert = default, convert

    def __set_name__(self, _owner: type, name: str) -> None:
        self.name = name

    def __get__(self, layer: Any, _owner: Any = None) -> Any:
        if layer is None:
            return self
        value = layer._fields.get(self.name)
        if value is not None:
            return value
        return self.default(layer) if isinstance(self.default, types.FunctionType) else self.default

    def __set__(self, layer: Any, value: Any) -> None:
        layer._fields[self.name] = value if value is None or self.convert is None else self.convert(value)
        layer._network._changed(layer)


class Renamed:
    """A field's old name, which newer releases lack."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __set_name__(self, owner: type, name: str) -> None:
        self.what = "%s.%s" % (owner.__name__, name)

    def __get__(self, layer: Any, _owner: Any = None) -> Any:
        if layer is None:
            return self
        warn_removed(self.what, "9.3", "use " + self.name)
        return getattr(layer, self.name)

    def __set__(self, layer: Any, value: Any) -> None:
        warn_removed(self.what, "9.3", "use " + self.name, 4)
        setattr(layer, self.name, value)


def array_of(weights: Any) -> numpy.ndarray:
    """The array behind Weights, an array, or None (no elements)."""
    if weights is None:
        return numpy.empty(0, numpy.float32)
    return weights.numpy() if isinstance(weights, Weights) else numpy.ascontiguousarray(weights)


def axes_of(mask: int) -> List[int]:
    """The dimensions that a bit mask names."""
    return [bit for bit in range(Dims.MAX_DIMS) if int(mask) >> bit & 1]


class ILayer(WithEnds):
    """A layer of a network."""

    TYPE = LayerType.IDENTITY
    KIND = "Layer"  # as TensorRT names it in "(Unnamed Layer* 0) [Convolution]_output"

    def __init__(self, network: Any, inputs: Sequence[Optional[ITensor]], outputs: int = 1, **fields: Any) -> None:
        self._network = network
        self._number = network.num_layers
        self._type, self._kind = self.TYPE, self.KIND
        self._name: Optional[str] = None
        self._inputs = list(inputs)
        for tensor in self._inputs:
            network._check_own(tensor)
        self._outputs = [ITensor(network, self, i) for i in range(outputs)]
        self._fields: Dict[str, Any] = {}
        self._precision: Optional[DataType] = None
        self._output_types: Dict[int, DataType] = {}
        self._made_nodes: List[ferry.Node] = []
        for name, value in fields.items():
            setattr(self, name, value)

    # --- What it is --------------------------------------------------------------------------------------------------

    @property
    def type(self) -> LayerType:
        """Its kind."""
        return self._type

    @property
    def name(self) -> str:
        """Its name."""
        return self._name or "(Unnamed Layer* %d) [%s]" % (self._number, self._kind)

    @name.setter
    def name(self, name: str) -> None:
        self._name = name
        for index, node in enumerate(self._made_nodes):
            node.name = self._node_name(index)
        for output in self._outputs:
            made = self._network._made_already(output)
            if made is not None and made.name != output.name:
                made.name = output.name

    def _node_name(self, index: int) -> str:
        return self.name if index == 0 else "%s/%d" % (self.name, index + 1)

    metadata = Field("")

    def _output_name(self, index: int) -> str:
        return "%s_output%s" % (self.name, "" if index == 0 else "_%d" % (index + 1))

    def set_input(self, index: int, tensor: ITensor) -> None:
        """Another input; past the end it is one more, which some kinds take instead of a field."""
        self._network._check_own(tensor)
        while len(self._inputs) <= index:
            self._inputs.append(None)
        self._inputs[index] = tensor
        self._network._changed(self)

    # --- Precision ---------------------------------------------------------------------------------------------------

    @property
    def precision(self) -> DataType:
        """What it is to be computed in. The builder keeps to it, whatever the flags allow."""
        return DataType.FLOAT if self._precision is None else self._precision

    @precision.setter
    def precision(self, precision: DataType) -> None:
        self._precision = precision

    @property
    def precision_is_set(self) -> bool:
        """Whether it was set."""
        return self._precision is not None

    def reset_precision(self) -> None:
        """Leaves it to the builder."""
        self._precision = None

    def set_output_type(self, index: int, dtype: DataType) -> None:
        """What an output is to be kept in. The builder keeps to it."""
        self._output_types[index] = dtype

    def get_output_type(self, index: int) -> DataType:
        """What was set, else the tensor's type."""
        if index in self._output_types:
            return self._output_types[index]
        output = self.get_output(index)
        if output is None:
            raise IndexError("layer '%s' has %d outputs" % (self.name, self.num_outputs))
        return output.dtype

    def output_type_is_set(self, index: int) -> bool:
        """Whether it was set."""
        return index in self._output_types

    def reset_output_type(self, index: int) -> None:
        """Leaves it to the builder."""
        self._output_types.pop(index, None)

    def _precisions(self) -> Dict[str, str]:
        """Names of nodes and tensors with the precisions that are wanted of them, where they are floating-point."""
        wanted = {}
        if self._precision in _PRECISIONS:
            for name in self._nodes():
                wanted[name] = _PRECISIONS[self._precision]
        for index, dtype in self._output_types.items():
            output = self.get_output(index)
            if output is not None and dtype in _PRECISIONS:
                wanted[output.name] = _PRECISIONS[dtype]
        return wanted

    def _nodes(self) -> List[str]:
        return [node.name for node in self._made_nodes]

    # --- Becoming nodes ----------------------------------------------------------------------------------------------

    def _emit(self, net: ferry.Network) -> List[ferry.Tensor]:
        """Adds the nodes; returns ferry's tensors of the outputs."""
        self._made_nodes = []
        values = [None if t is None else self._network._value(t) for t in self._inputs]
        made = self.emit(Emitter(net, self), *values)
        return list(made) if isinstance(made, (tuple, list)) else [made]

    def emit(self, to: "Emitter", *inputs: Any) -> Any:
        """Adds the nodes of this kind of layer."""
        raise NotImplementedError

    def _as_layer(self) -> "ILayer":
        """The same layer as get_layer() shows it: `type` is the kind of layer for all of them, and a script that wants
        the fields of its kind assigns `layer.__class__ = tensorrt.IConvolutionLayer`, as with TensorRT."""
        if self._shown is None:
            self._shown = ILayer.__new__(ILayer)
            self._shown.__dict__ = self.__dict__
        return self._shown

    _shown: "Optional[ILayer]" = None

    def __repr__(self) -> str:
        return "<tensorrt.%s '%s'>" % (type(self).__name__, self.name)


class Emitter:
    """Adds one layer's nodes to ferry's network and names them after it."""

    def __init__(self, net: ferry.Network, layer: ILayer) -> None:
        self.net, self.layer = net, layer

    def node(self, op: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        """A node. Attributes that are None are left out."""
        nodes = self.layer._made_nodes
        given = {key: value for key, value in attributes.items() if value is not None}
        made = self.net.add(op, *inputs, name=self.layer._node_name(len(nodes)), outputs=outputs, **given)
        nodes.append((made if outputs == 1 else made[0]).producer)
        return made

    def ints(self, values: Any) -> numpy.ndarray:
        """A constant of INT64, as ONNX wants shapes and axes."""
        return numpy.array(list(values), numpy.int64)

    def scalar(self, like: ferry.Tensor, value: float) -> numpy.ndarray:
        """A number of a tensor's type."""
        return numpy.array(value, like.dtype)

    def as_int64(self, tensor: Any) -> Any:
        """A shape tensor as ONNX wants it: TensorRT's are INT32."""
        return tensor if tensor.data_type == ferry.DataType.S64 else self.node("Cast", tensor, to=_ONNX["int64"])

    def as_int32(self, tensor: Any) -> Any:
        """The way back."""
        return self.node("Cast", tensor, to=_ONNX["int32"])

    def cast(self, tensor: Any, dtype: DataType) -> Any:
        """A conversion."""
        return self.node("Cast", tensor, to=_ONNX[dtype.as_ferry.onnx])


# ONNX's numbers of element types (TensorProto.DataType).
_ONNX = {"float": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7, "bool": 9, "float16": 10, "bfloat16": 16}
