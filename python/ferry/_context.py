# SPDX-License-Identifier: Apache-2.0
"""A Context runs an engine: one inference at a time, from arrays to arrays."""
import asyncio
import concurrent.futures
import ctypes
import functools
from typing import Any, Callable, Dict, List, Optional, Sequence, Union

import numpy

from ferry import _structs
from ferry._arrays import address_of, array_for_input, check_output
from ferry._callbacks import Guard, guarded
from ferry._errors import InvalidArgumentError
from ferry._handles import Exclusive, Handle, box_of_engine, off_stream_threads
from ferry._library import I64, encode, integer, lib
from ferry._observe import LayerTime, Observer, Profiler
from ferry._plan import FREE, Plan, count_references
from ferry._stream import Stream
from ferry._types import Binding, Shape, binding_shape, shape_of

Outputs = Dict[str, numpy.ndarray]
_run = lib.untyped("context_run")


class Context(Handle):
    """Runs an engine: `outputs = context.run(x)`. Threads that share one take turns; for work in parallel give each
    its own, which share the engine's weights."""

    def __init__(self, engine: Any, memory_limit: int = 0, stream: Optional[Stream] = None, threads: int = 0) -> None:
        out = ctypes.c_void_p()
        owner = box_of_engine(engine)
        options = _structs.ContextOptions(memory_limit_bytes=integer(memory_limit, "memory_limit", 0, I64))
        self.engine = engine
        self.stream = Stream(engine.runtime, threads) if stream is None else _stream(stream)
        self._guard = Guard()
        self._logger_guard = engine.runtime._logger.guard
        self._guards = (self._guard, self._logger_guard)
        guarded(self._guards, lib.context_create, owner, ctypes.byref(options), ctypes.byref(out))
        self._adopt(out, off_stream_threads(lib.context_release), owner)
        self._exclusive = Exclusive("context")
        self._plan: Optional[Plan] = None
        self._bound: Dict[int, Any] = {}
        self._callbacks: Dict[str, Any] = {}
        self._executor: Optional[concurrent.futures.Executor] = None
        self.stream._contexts.add(self)

    # --- Shapes --------------------------------------------------------------------------------------------------

    def set_input_shape(self, which: Any, shape: Any) -> None:
        """Chooses the shape of an input, within the engine's profile. run() does it by itself."""
        binding = self._input(which)
        with self._exclusive:
            self._set_shape(binding, shape_of(shape, "input '%s'" % binding.name))

    def _set_shape(self, binding: Binding, shape: Shape) -> None:
        dims = _structs.Dims(*shape)
        lib.context_set_input_shape(self._use(), encode(binding.name), len(shape), dims)
        self._plan = None

    def shape(self, which: Any) -> Shape:
        """Shape of an input or output for the chosen input shapes. Where the data decides: an upper bound before the
        run, the true size after it."""
        binding = self.engine.binding(which)
        with self._exclusive:
            self._prepared()
            return binding_shape(self._use(), binding.index)

    def prepare(self) -> "Context":
        """Plans memory and prepares kernels for the chosen shapes; the first run does it otherwise."""
        with self._exclusive:
            self._prepared()
        return self

    def _prepared(self) -> Plan:
        if self._plan is None:
            guarded(self._guards, lib.context_prepare, self._use())
            self._plan = Plan(self)
        return self._plan

    @property
    def memory_bytes(self) -> int:
        """What the prepared context holds for activations and scratch; 0 before prepare()."""
        return lib.context_memory_bytes(self._use())

    def _input(self, which: Any) -> Binding:
        binding = self.engine.binding(which)
        if not binding.is_input:
            raise InvalidArgumentError("'%s' is an output" % binding.name)
        return binding

    # --- Running on host arrays ----------------------------------------------------------------------------------

    def run(self, *inputs: Any, out: Union[None, Dict[str, Any], Sequence[Any]] = None) -> Outputs:
        """Runs one inference on host arrays and waits: {output's name: array}.

        inputs: arrays in the engine's order, or one dict by name. They are used in place; a ferry.CopyWarning says
        where one had to be copied for not being contiguous, and another element type is an error, for converting it
        may change its meaning. The shape of a dynamic input is set to the array's.
        out: arrays to write into, by name or in order; those left out are made. Never copied.

        The outputs are the caller's. Memory of earlier ones is used again once no array refers to it any more."""
        # What a usual call needs stands here, in one function, and not where it would look better: _plan.py says why.
        turn = self._exclusive
        if turn.busy or not turn.acquire(False):
            self._use()
            turn.wait()
        turn.busy = True
        try:
            plan = self._plan
            if plan is None or plan.stream is not self.stream or len(inputs) != plan.n_inputs:
                plan = self._plan_for(inputs)
            else:
                i = 0
                for array in inputs:
                    fit = plan.fits[i]
                    if array is not fit.last and not fit.take(array) or array.shape != fit.shape or \
                            array.strides != fit.strides or array.dtype is not fit.dtype:
                        plan = self._plan_for(inputs)
                        break
                    i += 1
            if out is None:
                for room in plan.rooms:
                    outputs = {}
                    for name, array in room.named:
                        if count_references(array) != FREE:
                            break
                        outputs[name] = array.view()
                    else:
                        break
                else:
                    room = plan.add_room()
                    outputs = {name: array.view() for name, array in room.named}
            else:
                room = plan.given
                outputs = room.take(out) or room.put(self._outputs(out, plan))
            status = _run(plan.context_at, plan.stream_at, plan.in_at, room.at, plan.error_at)
            if status or plan.raised or plan.logger_raised:
                self._raise(plan, status)
            if plan.varying:
                plan.cut(outputs)
            return outputs
        finally:
            turn.busy = False
            turn.release()

    __call__ = run

    def _raise(self, plan: Plan, status: int) -> None:
        """Raises what a callback raised, else what the run answered; C words it for people who don't use Python."""
        if status:
            self._use()
            self.stream._outside()
        guarded(self._guards + self.stream._lasting_guards, plan.raise_error, status)

    def _plan_for(self, inputs: Sequence[Any]) -> Plan:
        """For inputs that are not what the last run had: other shapes, by name, to be made arrays of."""
        self._use()
        self.stream._outside()
        given = [v if isinstance(v, numpy.ndarray) else array_for_input(v, b, self.engine.runtime)
                 for v, b in zip(self._in_order(inputs), self.engine.inputs)]
        if self._plan is not None and self._plan.stream is not self.stream:
            self._plan = None
        plan = self._prepared()
        if not plan.have_shapes(given):
            plan = self._adapt(given)
        plan.take_any(given)
        return plan

    def _in_order(self, inputs: Sequence[Any]) -> Sequence[Any]:
        if len(inputs) == 1 and isinstance(inputs[0], dict):
            named = inputs[0]
            for name in named:
                self._input(name)
            missing = [b.name for b in self.engine.inputs if b.name not in named]
            if missing:
                raise InvalidArgumentError("input '%s' is missing" % "', '".join(missing))
            return [named[b.name] for b in self.engine.inputs]
        if len(inputs) != len(self.engine.inputs):
            raise InvalidArgumentError("%d inputs given, and the engine has %d: %s" % (
                len(inputs), len(self.engine.inputs), ", ".join(map(str, self.engine.inputs))))
        return inputs

    def _adapt(self, given: Sequence[numpy.ndarray]) -> Plan:
        """Sets the shapes of dynamic inputs to those of the arrays."""
        for binding, array in zip(self.engine.inputs, given):
            if array.shape != binding_shape(self._use(), binding.index):
                self._set_shape(binding, shape_of(array.shape, "input '%s'" % binding.name))
        return self._prepared()

    def _outputs(self, out: Any, plan: Plan) -> List[numpy.ndarray]:
        if isinstance(out, numpy.ndarray):
            out = [out]
        if not isinstance(out, dict):
            if len(out) != len(plan.makes):
                raise InvalidArgumentError("out has %d arrays, and the engine %d outputs" % (len(out),
                                                                                             len(plan.makes)))
            out = {b.name: array for b, array in zip(self.engine.outputs, out)}
        for name in out:
            if self.engine.binding(name).is_input:
                raise InvalidArgumentError("out names '%s', which is an input" % name)
        return [check_output(out[b.name], b, shape) if out.get(b.name) is not None else numpy.empty(shape, dtype)
                for b, (shape, dtype) in zip(self.engine.outputs, plan.makes)]

    async def run_async(self, *inputs: Any, out: Any = None) -> Outputs:
        """run() for asyncio: the event loop goes on meanwhile. Runs of one context follow each other in order."""
        self._use()
        if self._executor is None:
            self._executor = concurrent.futures.ThreadPoolExecutor(1, "ferry context")
        loop = asyncio.get_event_loop()
        return await loop.run_in_executor(self._executor, functools.partial(self.run, *inputs, out=out))

    # --- Running on device memory --------------------------------------------------------------------------------

    def bind(self, which: Any, value: Any) -> None:
        """Binds an input or output to device memory: a DeviceArray, anything with __dlpack__ or
        __cuda_array_interface__ on the device, where device memory is the host's a numpy array too, or an address.
        All but bare addresses are checked, and kept alive while they are bound."""
        binding = self.engine.binding(which)
        with self._exclusive:
            box = self._use()
            shape = getattr(value, "shape", None)
            if binding.is_input and shape is not None and tuple(shape) != binding_shape(box, binding.index):
                self._set_shape(binding, shape_of(shape, "input '%s'" % binding.name))
            wanted = self._prepared().shapes[binding.index]
            address, keep = address_of(value, binding, wanted, self.engine.runtime)
            lib.context_bind(box, binding.index, address)
            self._bound[binding.index] = keep

    def enqueue(self, stream: Optional[Stream] = None) -> None:
        """Queues one inference on what is bound, and returns at once; stream.wait() waits for it.

        A context may be queued again only on the same stream, or after the earlier run has finished."""
        stream = self.stream if stream is None else _stream(stream)
        outside = stream._outside()
        with self._exclusive:
            box = self._use()
            self._prepared()
            with stream._lock:
                lib.context_enqueue(box, outside)
                stream._borrow(box, *self._bound.values())
                # What profiler or observer raise belongs to whoever waits, even if they have raised by now.
                if self._guard not in stream._passing_guards:
                    stream._passing_guards.append(self._guard)

    # --- Looking on ----------------------------------------------------------------------------------------------

    def set_profiler(self, report: Optional[Callable[[LayerTime], None]]) -> None:
        """report(LayerTime) is called for every layer after each run, on the thread that ran it; None turns it off."""
        with self._exclusive:
            profiler = None if report is None else Profiler(report, self._guard)
            self._look("profiler", lib.context_set_profiler, profiler)

    def set_observer(self, observe: Optional[Callable[[str, numpy.ndarray, float, int], Any]]) -> None:
        """observe(name, array, scale, zero_point) sees every tensor right after a layer has made it, as a copy that
        stands for scale * (array - zero_point); `scale` is 0 where it is not quantised. What it raises stops the run and reaches run()'s caller; so does returning False."""
        with self._exclusive:
            observer = None if observe is None else Observer(observe, self._guard)
            self._look("observer", lib.context_set_observer, observer)
            self._plan = None

    def _look(self, kind: str, function: Any, looker: Any) -> None:
        self.stream.wait()
        function(self._use(), None if looker is None else looker.pointer, None)
        self._callbacks[kind] = looker
        self._use().keep = self._use().keep[:1] + tuple(self._callbacks.values())

    def profile(self, *inputs: Any) -> List[LayerTime]:
        """Runs once and returns the time of each layer."""
        times: List[LayerTime] = []
        before = self._callbacks.get("profiler")
        self.set_profiler(times.append)
        try:
            self.run(*inputs)
        finally:
            self.set_profiler(None if before is None else before.report)
        return times

    def close(self) -> None:
        """Lets go, after what is queued."""
        if self._executor is not None:
            self._executor.shutdown(wait=False)
            self._executor = None
        with self._exclusive:
            self._plan = None
            self._bound.clear()
            super().close()

    def __repr__(self) -> str:
        return "<ferry.Context of %r>" % (self.engine,)


def _stream(stream: Any) -> Stream:
    if not isinstance(stream, Stream):
        raise TypeError("stream must be a ferry.Stream, not %s" % type(stream).__name__)
    return stream
