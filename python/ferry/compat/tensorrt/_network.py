# SPDX-License-Identifier: Apache-2.0
"""INetworkDefinition: a parsed model, layers that the script adds, or both; and ferry's network made of them.

ferry's network is made when something has to be known of it: a shape, or the whole of it for a build. What the script
changes before that costs nothing; what it changes in a layer afterwards makes all start again, a parsed model too."""
from typing import Any, Dict, List, Optional

import ferry
from ferry.compat.tensorrt._add import LayerAdder
from ferry.compat.tensorrt._ends import WithEnds
from ferry.compat.tensorrt._layer import ILayer
from ferry.compat.tensorrt._parsed import ParsedLayer
from ferry.compat.tensorrt._tensor import ITensor
from ferry.compat.tensorrt._types import DataType, Dims


class INetworkDefinition(LayerAdder, WithEnds):
    """Made by Builder.create_network()."""

    def __init__(self, log: Any, flags: int) -> None:
        self._log = log
        self._flags = flags
        self._title = ""
        self._source: Optional[Any] = None
        self._inputs: List[ITensor] = []
        self._outputs: List[ITensor] = []
        self._parsed: List[ParsedLayer] = []
        self._added: List[ILayer] = []
        self._by_number: Dict[int, ITensor] = {}
        self._net: Optional[ferry.Network] = None
        self._making: List[ILayer] = []
        self._values: Dict[ITensor, ferry.Tensor] = {}

    # --- Parsing -----------------------------------------------------------------------------------------------------

    def _adopt_model(self, data: Optional[bytes], path: Optional[str], logger: ferry.Logger) -> None:
        """Takes an ONNX model in."""
        if self._inputs or self._parsed or self._added:
            raise ferry.InvalidArgumentError("the network has layers already: parse into a new one")

        def read():
            return ferry.Network.load(path, logger) if data is None else ferry.Network.parse(data, path, logger)

        self._net = read()
        self._source = read
        self._title = self._net.name
        self._inputs = [self._tensor(t) for t in self._net.inputs]
        self._outputs = [self._tensor(t) for t in self._net.outputs]
        self._parsed = [ParsedLayer(self, i) for i in range(len(self._net))]

    def _tensor(self, made: ferry.Tensor) -> ITensor:
        """The ITensor of a parsed model's tensor."""
        tensor = self._by_number.get(made.index)
        if tensor is None:
            tensor = self._by_number[made.index] = ITensor(self, made=made.index)
        return tensor

    # --- Inputs and outputs ------------------------------------------------------------------------------------------

    def add_input(self, name: str, dtype: DataType, shape: Any) -> Optional[ITensor]:
        """Adds an input; -1 is an open dimension. None, with the reason in the log, where that can't be."""
        tensor = ITensor(self)
        tensor._input = (name, dtype)
        tensor._name, tensor._shape = name, tuple(Dims(shape))
        try:
            self._values[tensor] = self._current().add_input(name, dtype.as_ferry, tensor._shape)
        except ferry.Error as error:
            self._log.error("add_input: %s" % error)
            return None
        self._inputs.append(tensor)
        return tensor

    def mark_output(self, tensor: ITensor) -> None:
        """Makes a tensor an output, after those there are."""
        self._check_own(tensor)
        if tensor not in self._outputs:
            self._outputs.append(tensor)

    def unmark_output(self, tensor: ITensor) -> None:
        """Undoes it."""
        if tensor in self._outputs:
            self._outputs.remove(tensor)

    # --- Layers ------------------------------------------------------------------------------------------------------

    @property
    def _layers(self) -> List[ILayer]:
        return self._parsed + self._added

    @property
    def num_layers(self) -> int:
        """How many layers there are: a parsed model's nodes in ONNX's newest form, and those that were added."""
        return len(self._parsed) + len(self._added)

    def get_layer(self, index: int) -> Optional[ILayer]:
        """A layer; None past the end."""
        return self[index] if 0 <= index < self.num_layers else None

    def __getitem__(self, index: int) -> ILayer:
        return self._layers[index]._as_layer()

    def __len__(self) -> int:
        return self.num_layers

    def __bool__(self) -> bool:
        return True

    # --- What it is --------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Its name, which the engine keeps."""
        return self._title

    @name.setter
    def name(self, name: str) -> None:
        self._title = name

    @property
    def has_implicit_batch_dimension(self) -> bool:
        """Never: the batch is always a dimension of the tensors."""
        return False

    @property
    def has_explicit_precision(self) -> bool:
        """Whether the model itself says where INT8 is."""
        return bool(self._flags & 2)

    @property
    def flags(self) -> int:
        """What it was made with."""
        return self._flags

    # --- Becoming ferry's network ------------------------------------------------------------------------------------

    def _check_own(self, tensor: Any) -> None:
        if tensor is not None and not isinstance(tensor, ITensor):
            raise TypeError("a tensorrt.ITensor is wanted, not %s" % type(tensor).__name__)
        if tensor is not None and tensor._network is not self:
            raise ValueError("tensor '%s' belongs to another network" % tensor.name)

    def _changed(self, layer: ILayer) -> None:
        """A layer is not what it was: what was made of it is of no use any more."""
        if any(output in self._values for output in layer._outputs):
            self._net = None
            self._values = {}

    def _current(self) -> ferry.Network:
        """ferry's network as far as it is made; made anew, with parsed model, inputs and edits, where need be."""
        if self._net is None:
            net = self._source() if self._source else ferry.Network(logger=self._log.for_ferry)
            for number, tensor in self._by_number.items():
                tensor._apply(net.tensor(number))
            for layer in self._parsed:
                layer._apply(net)
            self._values = {}
            for tensor in self._inputs:
                if tensor._input is not None:
                    name, dtype = tensor._input
                    made = net.add_input(tensor._name or name, dtype.as_ferry, tensor._shape)
                    self._values[tensor] = made
                    tensor._apply(made)
            self._net = net
        return self._net

    def _made_already(self, tensor: ITensor) -> Optional[ferry.Tensor]:
        """ferry's tensor where there is one, without making any."""
        if tensor._number is not None:
            return self._current().tensor(tensor._number)
        return self._values.get(tensor) if self._net is not None else None

    def _value(self, tensor: ITensor) -> ferry.Tensor:
        """ferry's tensor; the layers before it are made first, in the order in which they were added."""
        net = self._current()
        if tensor._number is not None:
            return net.tensor(tensor._number)
        if tensor not in self._values:
            # In order, for the sake of a flat stack; one by one where a layer takes what was added after it.
            for layer in [tensor._layer] if self._making else self._added[:self._added.index(tensor._layer) + 1]:
                self._make(layer)
        return self._values[tensor]

    def _make(self, layer: ILayer) -> None:
        if layer._outputs and layer._outputs[0] in self._values:
            return
        if layer in self._making:
            raise ferry.InvalidArgumentError("layer '%s' takes its own output, by way of other layers" % layer.name)
        net = self._current()
        self._making.append(layer)
        try:
            made = layer._emit(net)
        except (ferry.Error, ValueError, TypeError) as error:
            if str(error).startswith("layer '"):
                raise
            raise type(error)("layer '%s': %s" % (layer.name, error)) from error
        finally:
            self._making.pop()
        for output, value in zip(layer._outputs, made):
            self._values[output] = value
            value.name = output.name
            output._apply(value)

    def _for_build(self) -> ferry.Network:
        """All of it."""
        net = self._current()
        for layer in self._added:
            self._make(layer)
        wanted = [self._value(t) for t in self._outputs]
        for made in net.outputs:
            if made not in wanted:
                net.unmark_output(made)
        for made in wanted:
            net.mark_output(made)
        if self._title and net.name != self._title:
            net.name = self._title
        return net

    def _precisions(self) -> Dict[str, str]:
        """What the script wants of layers: a glob for each name, in which '*' and '?' of the name itself stand for any
        one character."""
        return {name.replace("*", "?"): precision for layer in self._layers
                for name, precision in layer._precisions().items()}
