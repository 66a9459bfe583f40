# SPDX-License-Identifier: Apache-2.0
"""Nested inputs and outputs: what models take and return, as a flat list of tensors and a tree that puts it together.

ONNX knows lists of named tensors only. The tree is stored with the engine as JSON, so that a loaded module nests its
outputs as the model did. Types of one's own (named tuples, dataclasses, subclasses of dict) are kept while the tree
lives; from JSON they come as named tuples of the same fields, and as dicts: reading a file never imports its code."""
import collections
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import torch

from ferry._errors import UnsupportedError

_PLAIN = (bool, int, float, str, type(None))
Leaves = List[Tuple[str, torch.Tensor]]


class Tree:
    """One place in a nest. kind: "tensor", "value", "tuple", "list", "dict" or "namedtuple"."""

    def __init__(self, kind: str, children: Sequence["Tree"] = (), keys: Sequence[Any] = (), value: Any = None,
                 make: Optional[Callable[..., Any]] = None) -> None:
        self.kind = kind
        self.children = list(children)
        self.keys = list(keys)
        self.value = value  # of "value", and the class name of "namedtuple"
        self.make = make

    def build(self, tensors: Any) -> Any:
        """The nest again, with the tensors of an iterator in it."""
        if self.kind == "tensor":
            return next(tensors)
        if self.kind == "value":
            return self.value
        parts = [child.build(tensors) for child in self.children]
        if self.kind == "list":
            return parts
        if self.kind == "tuple":
            return tuple(parts)
        if self.make is not None:
            return self.make(**dict(zip(self.keys, parts)))
        if self.kind == "namedtuple":
            return collections.namedtuple(self.value, self.keys)(*parts)
        return dict(zip(self.keys, parts))

    def count(self) -> int:
        """How many tensors it has."""
        return 1 if self.kind == "tensor" else sum(child.count() for child in self.children)

    def same(self, other: "Tree") -> bool:
        """Whether both nest alike and hold the same values beside their tensors."""
        return (self.kind == other.kind and self.keys == other.keys and len(self.children) == len(other.children)
                and (self.kind != "value" or self.value == other.value)
                and all(a.same(b) for a, b in zip(self.children, other.children)))

    def to_json(self) -> Any:
        """What json.dumps() takes."""
        if self.kind == "tensor":
            return "tensor"
        if self.kind == "value":
            return {"value": self.value}
        made = {self.kind: [child.to_json() for child in self.children]}  # type: Dict[str, Any]
        if self.keys:
            made["keys"] = self.keys
        if self.kind == "namedtuple":
            made["name"] = self.value
        return made

    @staticmethod
    def from_json(data: Any) -> "Tree":
        """The way back. ValueError for what to_json() does not write."""
        if data == "tensor":
            return Tree("tensor")
        if isinstance(data, dict) and set(data) == {"value"} and isinstance(data["value"], _PLAIN):
            return Tree("value", value=data["value"])
        for kind in ("tuple", "list", "dict", "namedtuple"):
            if isinstance(data, dict) and isinstance(data.get(kind), list):
                children = [Tree.from_json(child) for child in data[kind]]
                keys, name = data.get("keys", []), data.get("name")
                named = kind in ("dict", "namedtuple")
                if not isinstance(keys, list) or len(keys) != (len(children) if named else 0) or \
                        kind == "namedtuple" and not all(isinstance(k, str) for k in keys + [name]):
                    break
                return Tree(kind, children, keys, name)
        raise ValueError("no nest of tensors: %.80r" % (data,))

    def describe(self) -> str:
        """For error texts: "(tensor, {'a': tensor})"."""
        if self.kind == "tensor":
            return "tensor"
        if self.kind == "value":
            return repr(self.value)
        inner = [child.describe() for child in self.children]
        if self.keys:
            inner = ["%r: %s" % pair for pair in zip(self.keys, inner)]
        opens, closes = {"tuple": "()", "list": "[]"}.get(self.kind, "{}")
        return opens + ", ".join(inner) + closes


def flatten(value: Any, name: str, leaves: Leaves) -> Tree:
    """The tree of a nest; appends its tensors to `leaves` with their names: path in the nest, begun with `name`."""
    if isinstance(value, torch.Tensor):
        leaves.append((name, value))
        return Tree("tensor")
    if isinstance(value, _PLAIN):
        return Tree("value", value=value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return Tree("namedtuple", _children(zip(value._fields, value), name, leaves), value._fields,
                    type(value).__name__, type(value))
    if isinstance(value, (tuple, list)):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return Tree(kind, _children(enumerate(value), name, leaves))
    if isinstance(value, dict):
        bad = [k for k in value if not isinstance(k, (str, int))]
        if bad:
            raise UnsupportedError("%s: a dict with the key %r: keys are str or int here" % (name, bad[0]))
        make = None if type(value) is dict or not all(isinstance(k, str) for k in value) else type(value)
        return Tree("dict", _children(value.items(), name, leaves), list(value), None, make)
    if hasattr(type(value), "__dataclass_fields__"):
        fields = [(k, getattr(value, k)) for k in type(value).__dataclass_fields__]
        return Tree("dict", _children(fields, name, leaves), [k for k, _v in fields], None, type(value))
    raise UnsupportedError("%s is a %s: models take and return tensors, numbers, strings, None, and tuples, lists, "
                           "dicts and dataclasses of them" % (name, type(value).__name__))


def _children(items: Any, name: str, leaves: Leaves) -> List[Tree]:
    return [flatten(child, "%s.%s" % (name, key) if name else str(key), leaves) for key, child in items]
