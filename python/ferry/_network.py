# SPDX-License-Identifier: Apache-2.0
"""The network that an engine is built from: imported from a model, or built layer by layer in ONNX's words."""
import ctypes
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy

from ferry import _structs
from ferry._attributes import attribute_of, value_of_attribute, view_of
from ferry._callbacks import guarded
from ferry._errors import InvalidArgumentError
from ferry._handles import Exclusive, Handle
from ferry._library import I32, decode, encode, encode_optional, encode_path, integer, lib
from ferry._logger import CLogger, logger_of
from ferry._observe import array_of_view
from ferry._types import Binding, DataType, Shape, binding_of, shape_of


class Network(Handle):
    """Network.load("m.onnx"), or Network() and add_input(), add(), mark_output(). One thread at a time works on it.

        net = ferry.Network()
        x = net.add_input("x", numpy.float32, [1, 3, 32, 32])
        y = net.add("Relu", net.add("Conv", x, weights, bias, pads=[1, 1, 1, 1]))
        net.mark_output(y)
    """

    _survives_fork = True

    def __init__(self, opset: int = 0, logger: Any = None) -> None:
        """An empty network. opset: the ONNX opset in which nodes will be described, from 7; 0 is the newest."""
        number = integer(opset, "opset", 0, I32)
        self._open(logger, lambda options, out: lib.network_create(options, number, out))

    def _open(self, logger: Any, make: Any) -> "Network":
        self._logger = CLogger(logger_of(logger))
        self._exclusive = Exclusive("network")
        out, options = ctypes.c_void_p(), _structs.NetworkOptions(logger=ctypes.pointer(self._logger.struct))
        guarded([self._logger.guard], make, ctypes.byref(options), ctypes.byref(out))
        self._adopt(out, lib.network_release, self._logger)
        return self

    @classmethod
    def load(cls, path: Any, logger: Any = None) -> "Network":
        """Imports a model file. All that is wrong with it is found in one go, logged, and in the error's text."""
        name = encode_path(path)
        return cls.__new__(cls)._open(logger, lambda options, out: lib.network_load(name, options, out))

    @classmethod
    def parse(cls, data: Any, path: Any = None, logger: Any = None) -> "Network":
        """Imports a model from bytes, or anything with the buffer protocol.

        path: where it is said to come from: the beginning of error texts, and the folder of weights beside it."""
        raw = numpy.frombuffer(data, numpy.uint8) if len(memoryview(data)) else numpy.empty(0, numpy.uint8)
        name = None if path is None else encode_path(path)
        return cls.__new__(cls)._open(
            logger, lambda options, out: lib.network_load_memory(raw.ctypes.data, raw.nbytes, name, options, out))

    def _call(self, name: str, *args: Any) -> Any:
        with self._exclusive:
            return guarded([self._logger.guard], getattr(lib, "network_" + name), self._use(), *args)

    # --- Building layer by layer ---------------------------------------------------------------------------------

    def add_input(self, name: str, dtype: Any, shape: Any) -> "Tensor":
        """Adds an input. -1 is a dynamic dimension."""
        dims, out = shape_of(shape), ctypes.c_int()
        self._call("add_input", encode(name, "name"), DataType.of(dtype), len(dims), _structs.Dims(*dims),
                   ctypes.byref(out))
        return Tensor(self, out.value)

    def add_constant(self, value: Any, name: Optional[str] = None) -> "Tensor":
        """Adds weights, or whatever else an operator takes as a tensor. The array is copied."""
        view, out = view_of(value), ctypes.c_int()
        self._call("add_constant", encode_optional(name, "name"), ctypes.byref(view), ctypes.byref(out))
        return Tensor(self, out.value)

    def add(self, op_type: str, *inputs: Any, name: Optional[str] = None, outputs: Union[int, Sequence[str]] = 1,
            domain: Optional[str] = None, **attributes: Any) -> Any:
        """Adds a node as ONNX's documentation of the operator describes it; returns its output, or a tuple of them.

        inputs: tensors; arrays and numbers become constants; None leaves an optional one out.
        outputs: how many, or their names ("" for one that is not wanted).
        attributes: ints, floats, strings, lists of one of them, or arrays.
        An error names the node and says why; the network is then as it was, but for constants added on the way."""
        ids = [-1 if i is None else self._tensor_id(i) for i in inputs]
        names = None if isinstance(outputs, int) and not isinstance(outputs, bool) else [
            encode(n, "an output's name") for n in outputs]
        count = integer(outputs, "outputs", 1, 1 << 16) if names is None else len(names)
        pairs = [attribute_of(key, value) for key, value in attributes.items()]
        node = _structs.NodeDescription(
            op_type=encode(op_type, "op_type"), domain=encode_optional(domain, "domain"),
            name=encode_optional(name, "name"), inputs=(ctypes.c_int32 * max(len(ids), 1))(*ids), n_inputs=len(ids),
            output_names=None if names is None else (ctypes.c_char_p * max(count, 1))(*names), n_outputs=count,
            attributes=(_structs.Attribute * max(len(pairs), 1))(*[a for a, _keep in pairs]), n_attributes=len(pairs))
        made = (ctypes.c_int * max(count, 1))()
        self._call("add_node", ctypes.byref(node), made)
        tensors = tuple(None if i < 0 else Tensor(self, i) for i in made[:count])
        return tensors[0] if count == 1 else tensors

    def _tensor_id(self, value: Any) -> int:
        if isinstance(value, Tensor):
            if value.network is not self:
                raise InvalidArgumentError("tensor '%s' belongs to another network" % value.name)
            return value.index
        if isinstance(value, str):
            return self.tensor(value).index
        return self.add_constant(value).index

    def mark_output(self, tensor: Any) -> "Tensor":
        """Makes a tensor an output, after those there are."""
        self._call("mark_output", self.tensor(tensor).index)
        return self.tensor(tensor)

    def unmark_output(self, tensor: Any) -> None:
        """Undoes it, for outputs of an imported model too."""
        self._call("unmark_output", self.tensor(tensor).index)

    # --- Looking in ----------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Its name."""
        return decode(self._plain("name")) or ""

    @name.setter
    def name(self, name: str) -> None:
        self._call("set_name", encode(name, "name"))

    def _plain(self, name: str, *args: Any) -> Any:
        with self._exclusive:
            return getattr(lib, "network_" + name)(self._use(), *args)

    @property
    def opset(self) -> int:
        """Of the model, or that the network was made with."""
        return self._plain("opset")

    def metadata(self, key: str) -> Optional[str]:
        """A metadata value of the model."""
        return decode(self._plain("metadata", encode(key, "key")))

    @property
    def bindings(self) -> List[Binding]:
        """Inputs, then outputs."""
        found = []
        for index in range(self._plain("binding_count")):
            info = _structs.BindingInfo()
            self._call("binding", index, ctypes.byref(info))
            found.append(binding_of(info, index))
        return found

    def _sides(self, inputs: bool) -> List["Tensor"]:
        return [Tensor(self, self._plain("binding_tensor", b.index)) for b in self.bindings if b.is_input == inputs]

    @property
    def inputs(self) -> List["Tensor"]:
        """The inputs, in order."""
        return self._sides(True)

    @property
    def outputs(self) -> List["Tensor"]:
        """The outputs, in order."""
        return self._sides(False)

    @property
    def tensors(self) -> List["Tensor"]:
        """All tensors, constants too."""
        return [Tensor(self, i) for i in range(self._plain("tensor_count"))]

    def tensor(self, which: Any) -> "Tensor":
        """A tensor by name or number."""
        if isinstance(which, Tensor):
            if which.network is not self:
                raise InvalidArgumentError("tensor '%s' belongs to another network" % which.name)
            return which
        if isinstance(which, str):
            index = self._plain("find_tensor", encode(which, "a tensor's name"))
            if index < 0:
                raise KeyError("the network has no tensor '%s'" % which)
            return Tensor(self, index)
        return Tensor(self, integer(which, "a tensor's number", 0, max(self._plain("tensor_count") - 1, 0)))

    @property
    def nodes(self) -> List["Node"]:
        """The nodes, in an order in which they can run."""
        return [Node(self, i) for i in range(self._plain("node_count"))]

    def node(self, index: int) -> "Node":
        """A node by number."""
        return Node(self, integer(index, "a node's number", 0, max(self._plain("node_count") - 1, 0)))

    def __len__(self) -> int:
        return self._plain("node_count")

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        if self.closed:
            return "<ferry.Network, closed>"
        return "<ferry.Network '%s': %d nodes; %s>" % (self.name, len(self), ", ".join(map(str, self.bindings)))


def supports_operator(op_type: str, domain: Optional[str] = None, opset: int = 0) -> bool:
    """Whether models of that opset (0: the newest) may hold that operator; attributes and shapes may be refused."""
    return bool(lib.operator_supported(encode(op_type, "op_type"), encode_optional(domain, "domain"),
                                       integer(opset, "opset", 0, I32)))


class _Item:
    """A tensor or node: its network and its number, which stays its own."""

    def __init__(self, network: Network, index: int) -> None:
        self.network = network
        self.index = index

    def __eq__(self, other: Any) -> bool:
        return type(other) is type(self) and other.network is self.network and other.index == self.index

    def __hash__(self) -> int:
        return hash((id(self.network), self.index))


class Tensor(_Item):
    """A tensor of a Network."""

    def _info(self) -> Any:
        info = _structs.TensorInfo()
        self.network._call("tensor", self.index, ctypes.byref(info))
        return info

    @property
    def name(self) -> str:
        """Its name. Bindings, calibration caches and layer precisions go by it."""
        return decode(self._info().name) or ""

    @name.setter
    def name(self, name: str) -> None:
        self.network._call("set_tensor_name", self.index, encode(name, "name"))

    @property
    def data_type(self) -> DataType:
        """Its element type."""
        return DataType(self._info().dtype)

    @property
    def dtype(self) -> numpy.dtype:
        """The numpy dtype of its elements."""
        return self.data_type.numpy

    @property
    def shape(self) -> Optional[Shape]:
        """Its shape, -1 for dynamic dimensions; None where even the rank is not known. Of an input it may be set: all
        shapes are inferred anew."""
        info = self._info()
        return None if info.rank < 0 else tuple(info.dims[:info.rank])

    @shape.setter
    def shape(self, shape: Any) -> None:
        dims = shape_of(shape)
        self.network._call("set_input_dims", self.index, len(dims), _structs.Dims(*dims))

    @property
    def dim_names(self) -> Tuple[Optional[str], ...]:
        """What the model calls its dynamic dimensions."""
        info = self._info()
        return tuple(decode(info.dim_names[d]) for d in range(max(info.rank, 0)))

    @property
    def is_input(self) -> bool:
        """Whether it is an input of the network."""
        return self._info().is_input

    @property
    def is_output(self) -> bool:
        """Whether it is an output of the network."""
        return self._info().is_output

    @property
    def is_constant(self) -> bool:
        """Whether its values are known: value() has them."""
        return self._info().is_constant

    @property
    def producer(self) -> Optional["Node"]:
        """The node that makes it."""
        index = self._info().producer
        return None if index < 0 else Node(self.network, index)

    @property
    def dynamic_range(self) -> Optional[float]:
        """amax, if it was said that the values lie in [-amax, amax]: the INT8 scale is then amax / 127, whatever
        calibration says. Set it to None to take it back."""
        return self._info().dynamic_range or None

    @dynamic_range.setter
    def dynamic_range(self, amax: Optional[float]) -> None:
        if amax is None:
            self.network._call("reset_dynamic_range", self.index)
        else:
            self.network._call("set_dynamic_range", self.index, float(amax))

    def value(self) -> numpy.ndarray:
        """A copy of a constant's elements."""
        view = _structs.TensorView()
        with self.network._exclusive:
            lib.network_constant(self.network._use(), self.index, ctypes.byref(view))
            return array_of_view(view)

    def __repr__(self) -> str:
        return "<ferry.Tensor '%s': %s %s>" % (self.name, self.data_type.onnx, self.shape)


class Node(_Item):
    """A node of a Network, in the newest form of its operator."""

    def _info(self) -> Any:
        info = _structs.NodeInfo()
        lib.network_node(self.network._use(), self.index, ctypes.byref(info))
        return info

    def _look(self, read: Any) -> Any:
        with self.network._exclusive:
            return read(self._info())

    @property
    def op_type(self) -> str:
        """ONNX's name of the operator."""
        return self._look(lambda info: decode(info.op_type)) or ""

    @property
    def name(self) -> str:
        """Its name."""
        return self._look(lambda info: decode(info.name)) or ""

    @name.setter
    def name(self, name: str) -> None:
        self.network._call("set_node_name", self.index, encode(name, "name"))

    def _tensors(self, ids: Sequence[int]) -> List[Optional[Tensor]]:
        return [None if i < 0 else Tensor(self.network, i) for i in ids]

    @property
    def inputs(self) -> List[Optional[Tensor]]:
        """Its inputs; None where an optional one is left out."""
        return self._tensors(self._look(lambda info: info.inputs[:info.n_inputs]))

    @property
    def outputs(self) -> List[Optional[Tensor]]:
        """Its outputs; None where one is not wanted."""
        return self._tensors(self._look(lambda info: info.outputs[:info.n_outputs]))

    @property
    def attributes(self) -> Dict[str, Any]:
        """Its attributes by name."""
        with self.network._exclusive:
            found = {}
            for i in range(self._info().n_attributes):
                attribute = _structs.Attribute()
                lib.network_attribute(self.network._use(), self.index, i, ctypes.byref(attribute))
                found[decode(attribute.name)] = value_of_attribute(attribute)
            return found

    def __repr__(self) -> str:
        return "<ferry.Node %s '%s'>" % (self.op_type, self.name)
