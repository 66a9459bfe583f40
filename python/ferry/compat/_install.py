# SPDX-License-Identifier: Apache-2.0
"""Puts the stand-ins where `import tensorrt`, `import pycuda.driver` and `from cuda import cudart` find them."""
import importlib
import importlib.abc
import importlib.machinery
import sys
import warnings
from typing import Any, Dict, Optional

from ferry.compat import _revived
from ferry.compat._offered import WAY_OUT
from ferry.compat.cuda import _ctypes

_PACKAGE = __name__.rpartition(".")[0]

# What scripts import, and the module here that answers.
MODULES = {
    "tensorrt": "tensorrt",
    "pycuda": "pycuda",
    "pycuda.driver": "pycuda.driver",
    "pycuda.autoinit": "pycuda.autoinit",
    "pycuda.tools": "pycuda.tools",
    "cuda": "cuda",
    "cuda.cuda": "cuda.cuda",
    "cuda.cudart": "cuda.cudart",
    "cuda.bindings": "cuda.bindings",
    "cuda.bindings.driver": "cuda.cuda",
    "cuda.bindings.runtime": "cuda.cudart",
}
_TOPS = {name.split(".")[0] for name in MODULES}


class _Loader(importlib.abc.Loader):
    """Hands out a module of this package under another name."""

    def __init__(self, target: str) -> None:
        self.target = target

    def create_module(self, _spec: Any) -> Any:
        module = importlib.import_module(self.target)
        self.own_spec = module.__spec__
        return module

    def exec_module(self, module: Any) -> None:
        # The import system has put the alias's spec into it; the module goes by its own.
        module.__spec__ = self.own_spec


class _Finder(importlib.abc.MetaPathFinder):
    """Answers for all of the names' packages, so that an absent submodule is named and not looked for elsewhere."""

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> Optional[Any]:
        top, _dot, rest = name.partition(".")
        if top not in _TOPS:
            return None
        if name in MODULES:
            target = "%s.%s" % (_PACKAGE, MODULES[name])
            is_package = any(other.startswith(name + ".") for other in MODULES)
            return importlib.machinery.ModuleSpec(name, _Loader(target), is_package=is_package)
        raise ModuleNotFoundError("%s is not offered by ferry.compat: %s" % (name, WAY_OUT.get(
            rest, "there are " + ", ".join(sorted(n for n in MODULES if n.split(".")[0] == top)))), name=name)


_finder = _Finder()
_replaced: Dict[str, Any] = {}


def install() -> None:
    """From now on, tensorrt, pycuda and cuda are ferry's stand-ins. Calling it twice is fine."""
    if _finder in sys.meta_path:
        return
    found = [name for name in sys.modules if name.split(".")[0] in _TOPS]
    if found:
        warnings.warn("%s had been imported before ferry.compat took its place: modules that hold it go on using the "
                      "original. Import ferry.compat.install first." % " and ".join(sorted({n.split(".")[0]
                                                                                           for n in found})),
                      RuntimeWarning, stacklevel=3)
    for name in found:
        _replaced[name] = sys.modules.pop(name)
    sys.meta_path.insert(0, _finder)
    _revived.revive()
    _ctypes.install()


def uninstall() -> None:
    """Undoes install(): what is imported from now on is again whatever the machine has."""
    if _finder not in sys.meta_path:
        return
    sys.meta_path.remove(_finder)
    for name in [n for n in sys.modules if n.split(".")[0] in _TOPS]:
        del sys.modules[name]
    sys.modules.update(_replaced)
    _replaced.clear()
    _revived.undo()
    _ctypes.uninstall()
