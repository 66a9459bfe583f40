# SPDX-License-Identifier: Apache-2.0
"""How the stand-ins answer for names that they lack, and for names that newer releases have removed.

A script that asks for something absent must hear which name it was and what to do, and not fail later with a stranger
error; one that uses a removed name must go on, and hear the new one."""
import enum
import functools
import sys
import types
import warnings
from typing import Any, Callable, Dict, List, Optional

import ferry

_ROOT = __name__.rpartition(".")[0] + "."

_PLUGINS = "ferry runs ONNX's operators; one that it lacks has to be expressed in those it has"
WAY_OUT: Dict[str, str] = {
    "UffParser": "export the network to ONNX (tf2onnx) and use trt.OnnxParser",
    "CaffeParser": "convert the network to ONNX and use trt.OnnxParser",
    "Refitter": "build the engine anew with the new weights",
    "IPluginV2": _PLUGINS,
    "IPluginV2DynamicExt": _PLUGINS,
    "IPluginCreator": _PLUGINS,
    "PluginField": _PLUGINS,
    "add_plugin_v2": _PLUGINS,
    "add_loop": "unroll the loop when the model is exported",
    "add_einsum": "write the sum with add_shuffle() and add_matrix_multiply()",
    "add_if_conditional": "export the branch that is wanted",
    "IAlgorithmSelector": "a timing cache keeps the choice of tactics from build to build",
    "IGpuAllocator": "ferry's runtime allocates device memory itself; config.set_memory_pool_limit() caps it",
    "SourceModule": "ferry has no CUDA compiler: build the computation into the network",
    "gpuarray": "keep arrays in numpy and copy them with memcpy_htod and memcpy_dtoh",
    "compiler": "ferry has no CUDA compiler: build the computation into the network",
}


def public_name(owner: str) -> str:
    """A module's or class's name as scripts know it: tensorrt.Builder, not ferry.compat.tensorrt._builder.Builder."""
    if owner.startswith(_ROOT):
        owner = owner[len(_ROOT):]
    return ".".join(part for part in owner.split(".") if not part.startswith("_"))


def class_name(kind: type) -> str:
    """The same for a class."""
    return public_name(kind.__module__ + "." + kind.__qualname__)


def absent(owner: str, name: str) -> str:
    """What there is to say about a name that the stand-ins lack."""
    way = WAY_OUT.get(name, "help(%s) lists what there is" % owner.split(".")[0])
    return "%s.%s is not offered by ferry.compat: %s" % (owner, name, way)


def refused(what: str, way: str) -> ferry.UnsupportedError:
    """The error for a thing that has a name here, but that ferry does not do."""
    return ferry.UnsupportedError("%s is not offered by ferry.compat: %s" % (what, way))


class Module(types.ModuleType):
    """A module that names what it lacks. (Module-level __getattr__ came with Python 3.7.)"""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError("module '%s' has no attribute '%s'" % (self.__name__, name))
        raise AttributeError(absent(public_name(self.__name__), name))


def answer_for(module: str) -> None:
    """Lets a module name what it lacks."""
    sys.modules[module].__class__ = Module


class _EnumMeta(enum.EnumMeta):
    def __getattr__(cls, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        members = cls.__members__
        if name in members:
            return members[name]
        raise AttributeError("%s; its members are %s" % (absent(class_name(cls), name).split(": help")[0],
                                                         ", ".join(members)))


class Enum(enum.Enum, metaclass=_EnumMeta):
    """An enumeration as pybind11 makes them: an int() away from its value, and printed as Class.MEMBER."""

    def __int__(self) -> int:
        return self._value_

    __index__ = __int__

    def __str__(self) -> str:
        return "%s.%s" % (type(self).__name__, self._name_)

    def __repr__(self) -> str:
        return "<%s.%s: %d>" % (type(self).__name__, self._name_, self._value_)

    def __hash__(self) -> int:
        return hash(self._value_)

    def _number(self, other: Any) -> Any:
        if type(other) is type(self):
            return other._value_
        return other if isinstance(other, int) else NotImplemented

    def __eq__(self, other: Any) -> Any:
        number = self._number(other)
        return number if number is NotImplemented else self._value_ == number

    def __lt__(self, other: Any) -> Any:
        number = self._number(other)
        return number if number is NotImplemented else self._value_ < number

    def __le__(self, other: Any) -> Any:
        number = self._number(other)
        return number if number is NotImplemented else self._value_ <= number

    def __gt__(self, other: Any) -> Any:
        number = self._number(other)
        return number if number is NotImplemented else self._value_ > number

    def __ge__(self, other: Any) -> Any:
        number = self._number(other)
        return number if number is NotImplemented else self._value_ >= number

    def __rlshift__(self, other: int) -> int:
        return other << self._value_

    def __or__(self, other: Any) -> Any:
        number = self._number(other)
        return number if number is NotImplemented else self._value_ | number

    __ror__ = __or__

    def __and__(self, other: Any) -> Any:
        number = self._number(other)
        return number if number is NotImplemented else self._value_ & number

    __rand__ = __and__


class Shim:
    """Base of the stand-in classes: unknown attributes are errors that name them, when read and when set.

    A subclass written by a script may have attributes of its own, as with pybind11. Objects are context managers whose
    end destroys nothing that is still used, which is why TensorRT deprecated it: `del` does the same."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(absent(class_name(_offered_class(type(self))), name))

    def __setattr__(self, name: str, value: Any) -> None:
        kind = type(self)
        if not name.startswith("_") and kind.__module__.startswith(_ROOT) and not hasattr(kind, name):
            raise AttributeError(absent(class_name(kind), name))
        object.__setattr__(self, name, value)

    def __dir__(self) -> List[str]:
        return [name for name in dir(type(self)) if not name.startswith("_") or name.startswith("__")]

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_exception: Any) -> None:
        return None


def _offered_class(kind: type) -> type:
    """The class of ours that a script's class derives from, for messages."""
    return next((k for k in kind.__mro__ if k.__module__.startswith(_ROOT)), kind)


def warn_removed(what: str, last: Optional[str], use: str, stacklevel: int = 3) -> None:
    """The DeprecationWarning for a name that a newer TensorRT has removed (last: the last release that had it)."""
    when = "deprecated" if last is None else "absent from TensorRT releases after %s" % last
    warnings.warn("%s is %s: %s" % (what, when, use), DeprecationWarning, stacklevel=stacklevel)


def removed(last: Optional[str], use: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorates a method that works as it did, but that newer releases lack."""

    def decorate(function):
        @functools.wraps(function)
        def call(*args, **kwargs):
            warn_removed(function.__qualname__, last, use)
            return function(*args, **kwargs)

        return call

    return decorate


class removed_property(property):
    """The same for a property: removed_property(getter, setter, last="9.3", use="...")."""

    def __init__(self, getter: Any, setter: Any = None, last: Optional[str] = None, use: str = "") -> None:
        super().__init__(getter, setter)
        self.last, self.use = last, use
        self.what = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.what = "%s.%s" % (owner.__name__, name)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is not None:
            warn_removed(self.what, self.last, self.use)
        return super().__get__(instance, owner)

    def __set__(self, instance: Any, value: Any) -> None:
        # Two frames lie between: this one and Shim.__setattr__.
        warn_removed(self.what, self.last, self.use, 4)
        super().__set__(instance, value)
