# SPDX-License-Identifier: Apache-2.0
"""IExecutionContext: runs an engine on device memory that the script owns."""
from typing import Any, Dict, List, Optional, Sequence, Tuple

import ferry
from ferry.compat import _device
from ferry.compat._offered import refused, removed
from ferry.compat.tensorrt._engine import ICudaEngine, Which
from ferry.compat.tensorrt._profiler import IProfiler
from ferry.compat.tensorrt._recorder import WithoutRecorder
from ferry.compat.tensorrt._types import Dims, volume


class IExecutionContext(WithoutRecorder):
    """Made by ICudaEngine.create_execution_context(). What fails is logged, and gives False."""

    def __init__(self, engine: ICudaEngine) -> None:
        self._engine = engine
        self._log = engine._log
        self._last = _device.stream_of(0)
        self._context = engine._engine.create_context(stream=self._last)
        self._name = ""
        self._profile = 0
        self._debug_sync = False
        self._profiler: Optional[IProfiler] = None
        self._chosen: Dict[str, Tuple[int, ...]] = {}
        self._addresses: Dict[str, int] = {}
        self._bound: Dict[str, Tuple[int, Any]] = {}
        self._allocators: Dict[str, Any] = {}
        self._emits = True

    # --- What it is --------------------------------------------------------------------------------------------------

    @property
    def engine(self) -> ICudaEngine:
        """What it runs."""
        return self._engine

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name = str(name)

    @property
    def debug_sync(self) -> bool:
        """Whether each run is waited for at once."""
        return self._debug_sync

    @debug_sync.setter
    def debug_sync(self, on: bool) -> None:
        self._debug_sync = bool(on)

    @property
    def device_memory(self) -> int:
        """Not offered: the context's memory is its own."""
        raise refused("IExecutionContext.device_memory", "a context of ferry's allocates its memory itself")

    def _failed(self, error: Any) -> bool:
        self._log.error("%s: %s" % (self._name or "IExecutionContext", error))
        return False

    # --- Profiles and shapes -----------------------------------------------------------------------------------------

    @property
    def active_optimization_profile(self) -> int:
        """Which of the engine's profiles the shapes keep to."""
        return self._profile

    @active_optimization_profile.setter
    def active_optimization_profile(self, index: int) -> None:
        if not 0 <= index < self._engine.num_optimization_profiles:
            raise ValueError("profile %d of %d" % (index, self._engine.num_optimization_profiles))
        self._profile = int(index)
        self._chosen.clear()

    def set_optimization_profile_async(self, profile_index: int, stream_handle: int) -> bool:
        """Chooses a profile."""
        try:
            self.active_optimization_profile = profile_index
            return True
        except ValueError as error:
            return self._failed(error)

    def set_input_shape(self, name: str, shape: Any) -> bool:
        """Chooses the shape of an input, within the profile."""
        dims = tuple(Dims(shape))
        try:
            if not self._engine._named(name).is_input:
                raise ValueError("tensor '%s' is no input: its shape follows from theirs" % name)
            least, _best, most = self._engine.get_tensor_profile_shape(name, self._profile)
            if len(dims) != len(least) or not all(a <= d <= b for a, d, b in zip(least, dims, most)):
                raise ValueError("input '%s': shape %s is not within the profile's %s to %s"
                                 % (name, dims, least, most))
            if self._chosen.get(name) != dims:
                self._context.set_input_shape(name, dims)
                self._chosen[name] = dims
                self._bound.clear()
            return True
        except (ferry.Error, ValueError) as error:
            return self._failed(error)

    def _missing(self) -> List[str]:
        """Inputs with an open dimension for which no shape was chosen."""
        return [b.name for b in self._engine._engine.inputs if b.is_dynamic and b.name not in self._chosen]

    def get_tensor_shape(self, name: str) -> Dims:
        """Its shape for the shapes that were chosen; -1 for what is open until they are, and for outputs whose size
        the data decides until they have run."""
        binding = self._engine._named(name)
        missing = self._missing()
        if name in missing or missing and not binding.is_input:
            return Dims(binding.shape)
        return Dims(self._context.shape(name))

    def get_tensor_strides(self, name: str) -> Dims:
        """Elements from place to place along each dimension: dense and row-major."""
        shape = self.get_tensor_shape(name)
        return Dims([volume(shape[i + 1:]) for i in range(len(shape))])

    def get_max_output_size(self, name: str) -> int:
        """Most bytes that an output can have for the shapes that were chosen."""
        return volume(self._context.shape(name)) * self._engine._named(name).data_type.bytes

    def infer_shapes(self) -> List[str]:
        """Names of inputs whose shape or address is still missing for a run."""
        return self._missing()

    @property
    def all_binding_shapes_specified(self) -> bool:
        """Whether a shape was chosen for all that need one."""
        return not self._missing()

    @property
    def all_shape_inputs_specified(self) -> bool:
        """Whether the values of shape inputs are known: there are none."""
        return True

    # --- Bindings by index -------------------------------------------------------------------------------------------

    @removed("9.3", "use set_input_shape(name, shape)")
    def set_binding_shape(self, binding: Which, shape: Any) -> bool:
        """Chooses the shape of an input."""
        return self.set_input_shape(self._engine._place(binding)[0].name, shape)

    @removed("9.3", "use get_tensor_shape(name)")
    def get_binding_shape(self, binding: Which) -> Dims:
        """Its shape for the shapes that were chosen."""
        return self.get_tensor_shape(self._engine._place(binding)[0].name)

    @removed("9.3", "use get_tensor_strides(name)")
    def get_strides(self, binding: Which) -> Dims:
        """Elements from place to place along each dimension."""
        return self.get_tensor_strides(self._engine._place(binding)[0].name)

    @removed("9.3", "use set_tensor_address() with host memory")
    def set_shape_input(self, binding: int, shape: Sequence[int]) -> bool:
        """Values of shape inputs."""
        return self._failed("binding %d is no shape input: ferry has none" % binding)

    def execute_v2(self, bindings: Sequence[Any]) -> bool:
        """Runs once on device addresses in the order of bindings, and waits."""
        return self._run_bindings(bindings, 0, wait=True)

    @removed("9.3", "use set_tensor_address(name, address) for each tensor, then execute_async_v3(stream_handle)")
    def execute_async_v2(self, bindings: Sequence[Any], stream_handle: int, input_consumed: Any = None) -> bool:
        """Queues one run on device addresses in the order of bindings."""
        return self._run_bindings(bindings, stream_handle, False, input_consumed)

    @removed("9.3", "use execute_v2(bindings)")
    def execute(self, batch_size: int = 1, bindings: Sequence[Any] = ()) -> bool:
        """execute_v2() under its older name; the batch is in the shapes."""
        return self._with_batch(batch_size) and self._run_bindings(bindings, 0, wait=True)

    @removed("9.3", "use set_tensor_address(name, address) for each tensor, then execute_async_v3(stream_handle)")
    def execute_async(self, batch_size: int = 1, bindings: Sequence[Any] = (), stream_handle: int = 0,
                      input_consumed: Any = None) -> bool:
        """execute_async_v2() under its older name; the batch is in the shapes."""
        return self._with_batch(batch_size) and self._run_bindings(bindings, stream_handle, False, input_consumed)

    def _with_batch(self, batch_size: int) -> bool:
        """An engine with an explicit batch runs with a batch size of 1, or with the batch that its inputs have."""
        shapes = [self.get_tensor_shape(b.name) for b in self._engine._engine.inputs]
        if batch_size == 1 or all(len(s) and s[0] == batch_size for s in shapes):
            return True
        return self._failed("batch_size is %d, and the batch of this engine is in its shapes (%s): set_input_shape() "
                            "sets it where it is open" % (batch_size, ", ".join(map(str, shapes))))

    def _run_bindings(self, bindings: Sequence[Any], handle: Any, wait: bool, consumed: Any = None) -> bool:
        known = self._engine._engine.bindings
        first = self._profile * len(known)
        if len(bindings) < first + len(known):
            return self._failed("%d bindings are given, and the engine has %d: %s" % (
                len(bindings), len(self._engine), ", ".join(map(str, known))))
        return self._run({b.name: int(bindings[first + b.index]) for b in known}, handle, wait, consumed)

    # --- Tensors by name ---------------------------------------------------------------------------------------------

    def set_tensor_address(self, name: str, memory: Any) -> bool:
        """Where an input lies or an output goes: a device address."""
        try:
            self._engine._named(name)
        except ValueError as error:
            return self._failed(error)
        self._addresses[name] = int(memory)
        return True

    def set_input_address(self, name: str, memory: Any) -> bool:
        """The same for an input."""
        return self.set_tensor_address(name, memory)

    def get_tensor_address(self, name: str) -> int:
        """What was set; 0 where nothing was."""
        return self._addresses.get(name, 0)

    def set_output_allocator(self, name: str, output_allocator: Any) -> bool:
        """Who allocates an output when its size is known."""
        self._allocators[name] = output_allocator
        return True

    def get_output_allocator(self, name: str) -> Any:
        """What was set."""
        return self._allocators.get(name)

    def execute_async_v3(self, stream_handle: int) -> bool:
        """Queues one run on the addresses that were set."""
        addresses = dict(self._addresses)
        for name, allocator in self._allocators.items():
            if allocator is not None:
                addresses[name] = int(allocator.reallocate_output(name, addresses.get(name, 0),
                                                                  self.get_max_output_size(name), 64) or 0)
        if not self._run(addresses, stream_handle, False):
            return False
        return self._notify(stream_handle)

    def _notify(self, handle: Any) -> bool:
        """Tells the allocators the outputs' shapes. Where the data decides them they are known after the run, and
        ferry does not say before where it does; so a run with an allocator is waited for."""
        told = {name: allocator for name, allocator in self._allocators.items() if allocator is not None}
        if told:
            try:
                _device.stream_of(handle).wait()
            except ferry.Error as error:
                return self._failed(error)
        for name, allocator in told.items():
            allocator.notify_shape(name, self.get_tensor_shape(name))
        return True

    # --- Running -----------------------------------------------------------------------------------------------------

    def _run(self, addresses: Dict[str, int], handle: Any, wait: bool, consumed: Any = None) -> bool:
        missing = self._missing()
        if missing:
            return self._failed("no shape was chosen for input '%s': call set_input_shape(), or set_binding_shape() "
                                "before TensorRT 8.5" % "', '".join(missing))
        try:
            for binding in self._engine._engine.bindings:
                self._bind(binding, addresses.get(binding.name, 0))
            stream = _device.stream_of(handle)
            if stream is not self._last and not (self._last.closed or self._last.query()):
                stream.wait_event(self._last.record())  # the context's memory serves one run at a time
            self._context.enqueue(stream)
            self._last = stream
            if consumed is not None:
                consumed.record(stream)
            if wait or self._debug_sync:
                stream.wait()
            return True
        except ferry.Error as error:
            return self._failed(error)

    def _bind(self, binding: ferry.Binding, address: int) -> None:
        if address == 0:
            raise ferry.InvalidArgumentError("%s has no address: NULL is given" % (binding,))
        last = self._bound.get(binding.name)
        if last is not None and last[0] == address:
            return
        array = _device.view(address, self._context.shape(binding.name), binding.data_type)
        self._context.bind(binding.name, array)
        self._bound[binding.name] = (address, array)

    # --- Profiling ---------------------------------------------------------------------------------------------------

    @property
    def profiler(self) -> Optional[IProfiler]:
        """Gets the time of each layer after each run."""
        return self._profiler

    @profiler.setter
    def profiler(self, profiler: Optional[IProfiler]) -> None:
        if profiler is not None and not callable(getattr(profiler, "report_layer_time", None)):
            raise TypeError("profiler must be a tensorrt.IProfiler, not %s" % type(profiler).__name__)
        self._profiler = profiler
        if profiler is None:
            self._context.set_profiler(None)
        else:
            self._context.set_profiler(lambda layer: profiler.report_layer_time(layer.name, layer.ms))

    @property
    def enqueue_emits_profile(self) -> bool:
        """Each run reports to the profiler by itself."""
        return self._emits

    @enqueue_emits_profile.setter
    def enqueue_emits_profile(self, on: bool) -> None:
        if not on:
            raise refused("enqueue_emits_profile = False", "set `profiler` to None while no times are wanted")

    def report_to_profiler(self) -> bool:
        """Waits for the report of the last run."""
        _device.synchronize()
        return self._profiler is not None
