# SPDX-License-Identifier: Apache-2.0
"""One call of a model laid flat: its tensors with names, and the trees that nest its inputs and outputs."""
import contextlib
import inspect
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import torch

from ferry._errors import InvalidArgumentError
from ferry.torch._tree import Leaves, Tree, flatten


@contextlib.contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Eval mode without gradients; each module's own mode comes back afterwards."""
    if not isinstance(model, torch.nn.Module):
        raise TypeError("the model must be a torch.nn.Module, not %s" % type(model).__name__)
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


def arguments_of(example: Any) -> Tuple[Tuple[Any, ...], Dict[str, Any]]:
    """A tensor is the one argument, a tuple or list the arguments, a dict the arguments by name."""
    if isinstance(example, dict):
        return (), dict(example)
    if isinstance(example, (tuple, list)) and not hasattr(example, "_fields"):
        return tuple(example), {}
    return (example,), {}


def flatten_arguments(args: Sequence[Any], kwargs: Dict[str, Any], words: Sequence[str]) -> Tuple[Tree, Leaves]:
    """The tree of a call's arguments and its tensors. words: names of the positional ones."""
    leaves = []  # type: Leaves
    given = [flatten(value, words[i] if i < len(words) else "input_%d" % i, leaves) for i, value in enumerate(args)]
    named = [flatten(value, key, leaves) for key, value in kwargs.items()]
    return Tree("tuple", [Tree("tuple", given), Tree("dict", named, list(kwargs))]), leaves


def _parameters(model: Any) -> List[str]:
    """Names of forward()'s positional parameters; none where Python can't tell."""
    try:
        signature = inspect.signature(model.forward)
    except (TypeError, ValueError):
        return []
    return [p.name for p in signature.parameters.values()
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


class Flat(torch.nn.Module):
    """A model as the exporters want it: tensors in, a tuple of tensors out."""

    def __init__(self, model: torch.nn.Module, inputs: Tree) -> None:
        super().__init__()
        self.model = model
        self.inputs = inputs

    def forward(self, *tensors: torch.Tensor) -> Tuple[torch.Tensor, ...]:
        """The model's tensors, in the order of its nest."""
        args, kwargs = self.inputs.build(iter(tensors))
        leaves = []  # type: Leaves
        flatten(self.model(*args, **kwargs), "", leaves)
        return tuple(tensor for _name, tensor in leaves)


class Call:
    """A model, an example of its inputs, and what the model made of it (in eval mode, where `evaluating` put it)."""

    def __init__(self, model: torch.nn.Module, example: Any, input_names: Optional[Sequence[str]] = None,
                 output_names: Optional[Sequence[str]] = None) -> None:
        args, kwargs = arguments_of(example)
        self.model = model
        self.words = _parameters(model)
        self.inputs, leaves = flatten_arguments(args, kwargs, self.words)
        if not leaves:
            raise InvalidArgumentError("the example has no tensor: a model needs at least one input")
        self.tensors = [tensor for _name, tensor in leaves]
        self.outputs, made = self.run(self.tensors)
        self.results = [tensor for _name, tensor in made]
        if not made:
            raise InvalidArgumentError("the model returned no tensor but %s" % self.outputs.describe())
        self.input_names = _names(input_names, [name for name, _t in leaves], "input_names", ())
        self.output_names = _names(output_names, [name for name, _t in made], "output_names", self.input_names)

    def run(self, tensors: Sequence[torch.Tensor]) -> Tuple[Tree, Leaves]:
        """The model on other tensors nested like the example: its outputs' tree and tensors."""
        args, kwargs = self.inputs.build(iter(tensors))
        made = []  # type: Leaves
        # A model may write into its inputs; the example must stay what it is.
        with torch.no_grad():
            result = self.model(*_copied(args), **_copied(kwargs))
        tree = flatten(result, "" if isinstance(result, dict) else "output", made)
        return tree, made

    def is_flat(self) -> bool:
        """Whether the model itself takes tensors only, by position, and returns a tensor or a tuple of them."""
        args, kwargs = self.inputs.children
        kinds = [child.kind for child in args.children]
        out = self.outputs
        return (not kwargs.children and set(kinds) == {"tensor"}
                and (out.kind == "tensor" or out.kind in ("tuple", "list")
                     and all(child.kind == "tensor" for child in out.children)))

    def module(self) -> torch.nn.Module:
        """What the exporters get: the model itself where it is flat, so that its nodes keep their names."""
        return self.model if self.is_flat() else Flat(self.model, self.inputs).eval()


def _copied(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()} if type(value) is dict else value
    if type(value) in (tuple, list):
        return type(value)(_copied(item) for item in value)
    return value


def _names(given: Optional[Sequence[str]], found: List[str], what: str, taken: Sequence[str]) -> List[str]:
    """Names for tensors: those given, else those of their places, made different from each other and from `taken`."""
    if given is not None:
        names = [given] if isinstance(given, str) else list(given)
        if len(names) != len(found):
            raise InvalidArgumentError("%s has %d names for %d tensors: %s" % (what, len(names), len(found),
                                                                           ", ".join(found)))
        if len(set(names) | set(taken)) != len(names) + len(taken):
            raise InvalidArgumentError("%s: each name of an input or output may occur once: %s" % (
                what, ", ".join(list(taken) + names)))
        return names
    names = []
    for name in found:
        name = name.replace(".", "_")
        unique, n = name, 1
        while unique in names or unique in taken:
            n += 1
            unique = "%s_%d" % (name, n)
        names.append(unique)
    return names
