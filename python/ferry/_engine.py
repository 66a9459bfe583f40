# SPDX-License-Identifier: Apache-2.0
"""A built network: loaded from a file or bytes, or made by the builder; looked into; saved."""
import ctypes
import json
import threading
from typing import Any, Dict, List, Optional

import numpy

from ferry import _structs
from ferry._callbacks import guarded
from ferry._context import Context
from ferry._handles import EngineHandle, box_of_runtime
from ferry._library import decode, encode, encode_path, lib, take_bytes_text
from ferry._types import Binding, binding_of


def _runtime(runtime: Any) -> Any:
    if runtime is None:
        from ferry._runtime import default_runtime
        return default_runtime()
    box_of_runtime(runtime)
    return runtime


class Engine(EngineHandle):
    """A built network. It never changes but for its texts; any number of threads may use it, and so may a forked
    child: its contexts are made anew there."""

    _survives_fork = True

    def __init__(self) -> None:
        raise TypeError("an Engine is made by Engine.load(path), Engine.deserialize(data) or Builder.build()")

    @classmethod
    def _of(cls, runtime: Any, out: ctypes.c_void_p) -> "Engine":
        engine = cls.__new__(cls)
        engine.runtime = runtime
        engine._adopt(out, lib.engine_release, runtime._use())
        engine._lock = threading.RLock()
        engine.bindings = [engine._binding(i) for i in range(lib.engine_binding_count(engine._use()))]
        engine.inputs = [b for b in engine.bindings if b.is_input]
        engine.outputs = [b for b in engine.bindings if not b.is_input]
        return engine

    @classmethod
    def load(cls, path: Any, runtime: Any = None, verify: bool = False, replan: bool = False) -> "Engine":
        """Maps an engine file. One that was tuned for another device is planned anew, and that is logged.

        verify: also check the weights' checksums. replan: ignore what was tuned before."""
        runtime = _runtime(runtime)
        out, options = ctypes.c_void_p(), _structs.EngineLoadOptions(verify=bool(verify), no_tuned=bool(replan))
        guarded([runtime._logger.guard], lib.engine_load, runtime._use(), encode_path(path), ctypes.byref(options),
                ctypes.byref(out))
        return cls._of(runtime, out)

    @classmethod
    def deserialize(cls, data: Any, runtime: Any = None, verify: bool = False, replan: bool = False) -> "Engine":
        """The same from bytes, or anything with the buffer protocol, which is copied."""
        runtime = _runtime(runtime)
        raw = numpy.frombuffer(data, numpy.uint8) if len(memoryview(data)) else numpy.zeros(1, numpy.uint8)[:0]
        out, options = ctypes.c_void_p(), _structs.EngineLoadOptions(verify=bool(verify), no_tuned=bool(replan))
        guarded([runtime._logger.guard], lib.engine_load_memory, runtime._use(), raw.ctypes.data, raw.nbytes,
                ctypes.byref(options), ctypes.byref(out))
        return cls._of(runtime, out)

    @staticmethod
    def check(path: Any, runtime: Any = None) -> Dict[str, Any]:
        """Whether a file would load here, as a dict with what was found: what `ferry check` prints."""
        runtime = _runtime(runtime)
        text = ctypes.c_void_p()
        guarded([runtime._logger.guard], lib.engine_check, runtime._use(), encode_path(path), ctypes.byref(text))
        return json.loads(take_bytes_text(text))

    # --- What it is ----------------------------------------------------------------------------------------------

    def _binding(self, index: int) -> Binding:
        info = _structs.BindingInfo()
        lib.engine_binding(self._use(), index, ctypes.byref(info))
        return binding_of(info, index)

    def binding(self, which: Any) -> Binding:
        """An input or output by name or index."""
        return find_binding(self.bindings, which)

    def text(self, what: str) -> Optional[str]:
        """A stored text: "preprocess", "decoder", "labels", "task", "name", "numeric_plan", "build", or
        "metadata:KEY"; None where there is none."""
        with self._lock:
            return decode(lib.engine_text(self._use(), encode(what, "what")))

    def set_text(self, what: str, value: str) -> None:
        """Stores a text in place of the engine's own, before it is saved."""
        with self._lock:
            lib.engine_set_text(self._use(), encode(what, "what"), encode(value, "value"))

    def metadata(self, key: str) -> Optional[str]:
        """A free text that was stored with it."""
        return self.text("metadata:" + key)

    @property
    def name(self) -> Optional[str]:
        """Its name."""
        return self.text("name")

    @property
    def task(self) -> Optional[str]:
        """What it is for: "classify", "detect", "segment" or "raw"; None where nobody said."""
        return self.text("task")

    @property
    def numeric_plan(self) -> Optional[str]:
        """What decides its numbers (precisions, scales, fusions), to be replayed by a build's `plan`."""
        return self.text("numeric_plan")

    @property
    def memory_bytes(self) -> int:
        """What a context of it will hold at the largest shapes."""
        nbytes = ctypes.c_size_t()
        guarded([self.runtime._logger.guard], lib.engine_memory_bytes, self._use(), ctypes.byref(nbytes))
        return nbytes.value

    def describe(self) -> Dict[str, Any]:
        """Everything that `ferry inspect --json` shows: layers, shapes, precision, tactics, memory, timing."""
        text = ctypes.c_void_p()
        with self._lock:
            lib.engine_describe(self._use(), ctypes.byref(text))
        return json.loads(take_bytes_text(text))

    @property
    def layers(self) -> List[Dict[str, Any]]:
        """The layers of describe(), in the order in which they run."""
        return self.describe()["layers"]

    # --- What is done with it ------------------------------------------------------------------------------------

    def create_context(self, memory_limit: int = 0, stream: Any = None, threads: int = 0) -> Context:
        """What runs it: one inference at a time.

        memory_limit: most bytes for activations and scratch, 0 for no cap. stream: runs go there; by default a stream
        of the context's own with that many threads."""
        return Context(self, memory_limit, stream, threads)

    def save(self, path: Any) -> None:
        """Writes the file: whole, or not at all."""
        with self._lock:
            lib.engine_save(self._use(), encode_path(path))

    def serialize(self) -> bytes:
        """The file's bytes."""
        data, nbytes = ctypes.c_void_p(), ctypes.c_size_t()
        with self._lock:
            lib.engine_serialize(self._use(), ctypes.byref(data), ctypes.byref(nbytes))
        try:
            return ctypes.string_at(data, nbytes.value)
        finally:
            lib.bytes_free(data, nbytes)

    def __repr__(self) -> str:
        if self.closed:
            return "<ferry.Engine, closed>"
        return "<ferry.Engine '%s': %s>" % (self.name, ", ".join(map(str, self.bindings)))


def find_binding(bindings: List[Binding], which: Any) -> Binding:
    """A binding by name or index, or an error that lists them."""
    if isinstance(which, Binding):
        which = which.name
    if isinstance(which, str):
        for binding in bindings:
            if binding.name == which:
                return binding
        raise KeyError("no input or output is named '%s'; there are %s" % (which, ", ".join(
            "'%s'" % b.name for b in bindings)))
    if not hasattr(which, "__index__"):
        raise TypeError("a binding is named by str or int, not %s" % type(which).__name__)
    index = which.__index__()
    if not -len(bindings) <= index < len(bindings):
        raise IndexError("binding %d of %d" % (index, len(bindings)))
    return bindings[index]
