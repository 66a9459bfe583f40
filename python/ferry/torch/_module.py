# SPDX-License-Identifier: Apache-2.0
"""A built engine as a torch.nn.Module: tensors in, tensors out, nested as the model nests them."""
import json
import warnings
from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch

from ferry._engine import Engine
from ferry._errors import BadEngineError, CopyWarning, InvalidArgumentError
from ferry.torch._call import flatten_arguments
from ferry.torch._tensors import array_of, data_type_of, tensor_of, torch_name
from ferry.torch._tree import Leaves, Tree, flatten

# Where the nest is kept in the engine.
KEY = "ferry.torch"


class Nest:
    """How the engine's flat inputs and outputs are nested. words: the model's parameters, by which inputs are named."""

    def __init__(self, inputs: Tree, outputs: Tree, words: Sequence[str], input_names: Sequence[str],
                 output_names: Sequence[str]) -> None:
        self.inputs = inputs
        self.outputs = outputs
        self.words = list(words)
        self.input_names = list(input_names)
        self.output_names = list(output_names)

    def to_json(self) -> str:
        """The text to store."""
        return json.dumps({"inputs": self.inputs.to_json(), "outputs": self.outputs.to_json(), "words": self.words,
                           "input_names": self.input_names, "output_names": self.output_names})

    @staticmethod
    def of(engine: Engine) -> "Nest":
        """What the engine holds; of one that was not compiled from torch: inputs by position, a tensor or a tuple."""
        text = engine.metadata(KEY)
        if text is not None:
            try:
                data = json.loads(text)
                nest = Nest(Tree.from_json(data["inputs"]), Tree.from_json(data["outputs"]), data["words"],
                            data["input_names"], data["output_names"])
            except (ValueError, KeyError, TypeError) as reason:
                raise BadEngineError("the engine's note on its nested inputs and outputs is damaged: %s"
                                     % reason) from reason
            nest.check(engine)
            return nest
        one = Tree("tensor")
        names = [b.name for b in engine.inputs]
        inputs = Tree("tuple", [Tree("tuple", [one] * len(names)), Tree("dict")])
        outputs = one if len(engine.outputs) == 1 else Tree("tuple", [one] * len(engine.outputs))
        return Nest(inputs, outputs, names, names, [b.name for b in engine.outputs])

    def check(self, engine: Engine) -> None:
        """The names that it speaks of must be the engine's."""
        for names, tree, bindings in ((self.input_names, self.inputs, engine.inputs),
                                      (self.output_names, self.outputs, engine.outputs)):
            theirs = {b.name for b in bindings}
            if not all(isinstance(n, str) for n in names) or tree.count() != len(names) or not theirs <= set(names) or \
                    tree is self.outputs and theirs != set(names):
                raise BadEngineError("the engine's tensors (%s) are not those of its note on nested inputs and outputs "
                                     "(%s)" % (", ".join(sorted(theirs)), ", ".join(map(str, names))))


class CompiledModule(torch.nn.Module):
    """Runs an engine on torch tensors: made by ferry.torch.compile() and ferry.torch.load().

    CPU tensors are used in place and outputs are made without a copy. Tensors of another device are copied to the host
    and the outputs back to where the first one lies; a ferry.CopyWarning says so once. An input that is not contiguous
    is copied, with the same warning. No gradients: it is for inference. Threads that share a module take turns.

    state_dict() holds the engine, so that torch.save(m.state_dict(), f) and CompiledModule().load_state_dict(...) work
    as for torch2trt's modules; save() writes an engine file that every part of ferry reads."""

    def __init__(self, engine: Optional[Engine] = None, context: Any = None, nest: Optional[Nest] = None,
                 threads: int = 0) -> None:
        super().__init__()
        self.engine = None  # type: Optional[Engine]
        self.report = None  # type: Any  # the Export, where compile() made it
        self._threads = threads
        if engine is not None:
            self._adopt(engine, context, nest)

    def _adopt(self, engine: Engine, context: Any = None, nest: Optional[Nest] = None) -> None:
        self._nest = nest or Nest.of(engine)
        self._nest.check(engine)
        self.engine = engine
        self.context = context or engine.create_context(threads=self._threads)
        order = {name: i for i, name in enumerate(self._nest.input_names)}
        # An input that the model takes and does not read may be none of the engine's.
        self._takes = [(order[b.name], b) for b in engine.inputs]
        self._gives = [engine.binding(name) for name in self._nest.output_names]
        one = self._nest.inputs.children[0].children
        self._simple = len(one) == 1 and one[0].kind == "tensor" and not self._nest.inputs.children[1].children
        self._told = False

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Takes what the model takes, nested like the example; the shape of open dimensions may vary in its bounds."""
        if self.engine is None:
            raise InvalidArgumentError("this module has no engine yet: load_state_dict() or ferry.torch.load() gives "
                                       "it one")
        tensors = args if self._simple and len(args) == 1 and not kwargs and isinstance(args[0], torch.Tensor) else \
            self._flatten(args, kwargs)
        device = tensors[0].device
        outputs = self.context.run(*[self._array(tensors[i], binding) for i, binding in self._takes])
        made = (tensor_of(outputs[b.name], b.data_type) for b in self._gives)
        return self._nest.outputs.build(made if device.type == "cpu" else (t.to(device) for t in made))

    def _flatten(self, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> List[torch.Tensor]:
        tree, leaves = flatten_arguments(args, kwargs, self._nest.words)
        if not tree.same(self._nest.inputs):
            tree, leaves = self._by_name(args, kwargs)
        return [tensor for _name, tensor in leaves]

    def _by_name(self, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Tuple[Tree, Leaves]:
        """The call in the example's form where it differs from it only by giving arguments by name or by position."""
        wanted_args, wanted_kwargs = self._nest.inputs.children
        named = dict(zip(self._nest.words, args)) if len(args) <= len(self._nest.words) else {}
        if len(named) == len(args) and not set(named) & set(kwargs):
            named.update(kwargs)
            positional = self._nest.words[:len(wanted_args.children)]
            if set(named) == set(positional) | set(wanted_kwargs.keys):
                tree, leaves = flatten_arguments([named[w] for w in positional],
                                                 {k: named[k] for k in wanted_kwargs.keys}, self._nest.words)
                if tree.same(self._nest.inputs):
                    return tree, leaves
        given = [flatten(list(args), "", []), flatten(dict(kwargs), "", [])]
        raise InvalidArgumentError("the module was compiled for arguments %s, and was called with %s" % (
            _words(self._nest.inputs.children), _words(given)))

    def _array(self, tensor: torch.Tensor, binding: Any) -> Any:
        if data_type_of(tensor) is not binding.data_type:
            wanted = torch_name(binding.data_type)
            raise InvalidArgumentError("input '%s' is %s, and the tensor %s: convert it, with x.to(%s) for one" % (
                binding.name, wanted, tensor.dtype, wanted))
        if tensor.device.type != "cpu":
            self._tell("input '%s' lies on %s: it is copied to the host, and the outputs back" % (
                binding.name, tensor.device))
            tensor = tensor.cpu()
        if not tensor.is_contiguous():
            self._tell("input '%s' is not contiguous and is copied: x.contiguous() once, before the loop, avoids it"
                       % binding.name)
            tensor = tensor.contiguous()
        return array_of(tensor)

    def _tell(self, text: str) -> None:
        if not self._told:
            self._told = True
            warnings.warn(text, CopyWarning, stacklevel=4)

    # --- Keeping it ----------------------------------------------------------------------------------------------

    def save(self, path: Any) -> None:
        """Writes the engine file, which also holds how inputs and outputs are nested."""
        self._engine().save(path)

    def _engine(self) -> Engine:
        if self.engine is None:
            raise InvalidArgumentError("this module has no engine yet")
        return self.engine

    def get_extra_state(self) -> Any:
        """The engine's bytes as a tensor: what state_dict() holds."""
        return torch.frombuffer(bytearray(self._engine().serialize()), dtype=torch.uint8)

    def set_extra_state(self, state: Any) -> None:
        """Takes the engine out of a state dict."""
        self._adopt(Engine.deserialize(state.cpu().numpy()))

    def __getstate__(self) -> Any:
        return {"engine": None if self.engine is None else self.engine.serialize(), "threads": self._threads}

    def __setstate__(self, state: Any) -> None:
        self.__init__(None if state["engine"] is None else Engine.deserialize(state["engine"]),
                      threads=state["threads"])

    def extra_repr(self) -> str:
        """Its inputs and outputs."""
        return "no engine yet" if self.engine is None else ", ".join(map(str, self.engine.bindings))


def _words(trees: Sequence[Tree]) -> str:
    args, kwargs = trees
    return "(%s)" % ", ".join([child.describe() for child in args.children] + [
        "%s=%s" % (key, child.describe()) for key, child in zip(kwargs.keys, kwargs.children)])
