# SPDX-License-Identifier: Apache-2.0
"""ICudaEngine: a built network, with both worlds of names: bindings by index (to 9.3), tensors by name (from 8.5)."""
import json
from typing import Any, Dict, List, Tuple, Union

import ferry
from ferry.compat._offered import refused, removed, removed_property
from ferry.compat.tensorrt._enums import (EngineCapability, ExecutionContextAllocationStrategy,
                                          HardwareCompatibilityLevel, ProfilingVerbosity, TensorFormat, TensorIOMode,
                                          TensorLocation)
from ferry.compat.tensorrt._inspect import EngineInspector
from ferry.compat.tensorrt._recorder import WithoutRecorder
from ferry.compat.tensorrt._types import DataType, Dims, IHostMemory

PROFILES = "tensorrt.profiles"  # the engine's text with the profiles that it was built for, as JSON
Which = Union[int, str]


class ICudaEngine(WithoutRecorder):
    """Made by a build or by Runtime.deserialize_cuda_engine()."""

    def __init__(self, engine: ferry.Engine, log: Any) -> None:
        self._engine = engine
        self._log = log
        text = engine.metadata(PROFILES)
        self._profiles: List[Dict[str, List[List[int]]]] = json.loads(text) if text else [{}]

    # --- Tensors by name ---------------------------------------------------------------------------------------------

    def _named(self, name: str) -> ferry.Binding:
        try:
            return self._engine.binding(name)
        except KeyError as error:
            raise ValueError("tensor '%s': %s" % (name, error.args[0])) from None

    @property
    def num_io_tensors(self) -> int:
        """How many inputs and outputs there are."""
        return len(self._engine.bindings)

    def get_tensor_name(self, index: int) -> str:
        """The name of an input or output."""
        return self._engine.binding(index).name

    def get_tensor_shape(self, name: str) -> Dims:
        """Its shape, -1 for open dimensions."""
        return Dims(self._named(name).shape)

    def get_tensor_dtype(self, name: str) -> DataType:
        """Its element type."""
        return DataType.of(self._named(name).data_type)

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        """Whether it is an input, an output, or unknown."""
        if all(b.name != name for b in self._engine.bindings):
            return TensorIOMode.NONE
        return TensorIOMode.INPUT if self._named(name).is_input else TensorIOMode.OUTPUT

    def get_tensor_location(self, name: str) -> TensorLocation:
        """Device memory."""
        self._named(name)
        return TensorLocation.DEVICE

    def is_shape_inference_io(self, name: str) -> bool:
        """Whether the host has to know its value: never."""
        self._named(name)
        return False

    def get_tensor_format(self, name: str, profile: int = 0) -> TensorFormat:
        """Dense and row-major."""
        self._named(name)
        return TensorFormat.LINEAR

    def get_tensor_format_desc(self, name: str, profile: int = 0) -> str:
        """The same in words."""
        return "Row major linear %s format (kLINEAR)" % self.get_tensor_dtype(name).name

    def get_tensor_vectorized_dim(self, name: str, profile: int = 0) -> int:
        """No dimension is."""
        self._named(name)
        return -1

    def get_tensor_components_per_element(self, name: str, profile: int = 0) -> int:
        """-1: no dimension is vectorised."""
        return self.get_tensor_vectorized_dim(name)

    def get_tensor_bytes_per_component(self, name: str, profile: int = 0) -> int:
        """-1: no dimension is vectorised."""
        return self.get_tensor_vectorized_dim(name)

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> List[Dims]:
        """[min, opt, max] of an input."""
        binding = self._named(name)
        if not 0 <= profile_index < len(self._profiles):
            raise ValueError("profile %d of %d" % (profile_index, len(self._profiles)))
        shapes = self._profiles[profile_index].get(name) or [binding.min_shape, binding.opt_shape, binding.max_shape]
        return [Dims(s) for s in shapes] if binding.is_input else []

    # --- Bindings by index -------------------------------------------------------------------------------------------

    def _count(self) -> int:
        """Bindings: those of each profile in turn."""
        return len(self._engine.bindings) * len(self._profiles)

    def _place(self, which: Which) -> Tuple[ferry.Binding, int]:
        """The binding behind an index or a name, and its profile."""
        each = len(self._engine.bindings)
        index = self._index(which) if isinstance(which, str) else int(which)
        if not 0 <= index < self._count():
            raise IndexError("binding %s of %d" % (which, self._count()))
        return self._engine.bindings[index % each], index // each

    def _index(self, name: str) -> int:
        base, _mark, rest = name.partition(" [profile ")
        profile = int(rest[:-1]) if rest[:-1].isdigit() and rest.endswith("]") else 0
        each = len(self._engine.bindings)
        found = next((b.index for b in self._engine.bindings if b.name in (name, base)), -1)
        return -1 if found < 0 or profile >= len(self._profiles) else found + profile * each

    def _name(self, index: int) -> str:
        binding, profile = self._place(index)
        return binding.name if profile == 0 else "%s [profile %d]" % (binding.name, profile)

    num_bindings = removed_property(_count, None, "9.3", "use num_io_tensors")

    def __len__(self) -> int:
        return self._count()

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, which: Which) -> Union[str, int]:
        """The name at an index, or the index of a name."""
        if isinstance(which, str):
            return self._index(which)
        return self._name(which + self._count() if which < 0 else which)

    @removed("9.3", "use get_tensor_name(index)")
    def get_binding_name(self, index: int) -> str:
        """The name at an index."""
        return self._name(index)

    @removed("9.3", "tensors go by their names")
    def get_binding_index(self, name: str) -> int:
        """The index of a name, or -1."""
        return self._index(name)

    @removed("9.3", "use get_tensor_shape(name)")
    def get_binding_shape(self, which: Which) -> Dims:
        """Its shape, -1 for open dimensions."""
        return Dims(self._place(which)[0].shape)

    @removed("9.3", "use get_tensor_dtype(name)")
    def get_binding_dtype(self, which: Which) -> DataType:
        """Its element type."""
        return DataType.of(self._place(which)[0].data_type)

    @removed("9.3", "use get_tensor_mode(name) == tensorrt.TensorIOMode.INPUT")
    def binding_is_input(self, which: Which) -> bool:
        """Whether it is an input."""
        return self._place(which)[0].is_input

    @removed("9.3", "use get_tensor_location(name)")
    def get_location(self, which: Which) -> TensorLocation:
        """Device memory."""
        self._place(which)
        return TensorLocation.DEVICE

    @removed("9.3", "use is_shape_inference_io(name)")
    def is_shape_binding(self, binding: int) -> bool:
        """Whether the host has to know its value: never."""
        return self._place(binding) is None

    @removed("9.3", "every tensor is one")
    def is_execution_binding(self, binding: int) -> bool:
        """Whether it is computed with: always."""
        return self._place(binding) is not None

    @removed("9.3", "use get_tensor_format(name)")
    def get_binding_format(self, index: int) -> TensorFormat:
        """Dense and row-major."""
        self._place(index)
        return TensorFormat.LINEAR

    @removed("9.3", "use get_tensor_format_desc(name)")
    def get_binding_format_desc(self, index: int) -> str:
        """The same in words."""
        return self.get_tensor_format_desc(self._place(index)[0].name)

    @removed("9.3", "use get_tensor_vectorized_dim(name)")
    def get_binding_vectorized_dim(self, index: int) -> int:
        """No dimension is."""
        return self.get_tensor_vectorized_dim(self._place(index)[0].name)

    @removed("9.3", "use get_tensor_profile_shape(name, profile)")
    def get_profile_shape(self, profile_index: int, binding: Which) -> List[Dims]:
        """[min, opt, max] of an input."""
        return self.get_tensor_profile_shape(self._place(binding)[0].name, profile_index)

    # --- Running and keeping -----------------------------------------------------------------------------------------

    def create_execution_context(self, strategy: Any = ExecutionContextAllocationStrategy.STATIC) -> Any:
        """What runs it. None, with the reason in the log, where that fails."""
        from ferry.compat.tensorrt._context import IExecutionContext
        if int(strategy) == int(ExecutionContextAllocationStrategy.USER_MANAGED):
            raise refused(str(strategy), "a context of ferry's allocates its memory itself")
        try:
            return IExecutionContext(self)
        except ferry.Error as error:
            self._log.error("create_execution_context: %s" % error)
            return None

    def create_execution_context_without_device_memory(self) -> Any:
        """Not offered."""
        raise refused("ICudaEngine.create_execution_context_without_device_memory",
                      "a context of ferry's allocates its memory itself: use create_execution_context()")

    def serialize(self) -> IHostMemory:
        """The engine file's bytes: ferry's format."""
        return IHostMemory(self._engine.serialize())

    def create_engine_inspector(self) -> EngineInspector:
        """What tells of its layers."""
        return EngineInspector(self)

    # --- What it is --------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The network's name."""
        return self._engine.name or ""

    @property
    def num_layers(self) -> int:
        """How many layers there are after fusion."""
        return len(self._engine.layers)

    @property
    def num_optimization_profiles(self) -> int:
        """How many profiles it was built for."""
        return len(self._profiles)

    @property
    def num_aux_streams(self) -> int:
        """No streams beside the one that is given."""
        return 0

    @property
    def refittable(self) -> bool:
        """Whether its weights may be changed: no."""
        return False

    @property
    def engine_capability(self) -> EngineCapability:
        """STANDARD."""
        return EngineCapability.STANDARD

    @property
    def tactic_sources(self) -> int:
        """No library's kernels: ferry's own."""
        return 0

    @property
    def profiling_verbosity(self) -> ProfilingVerbosity:
        """All about its layers is known."""
        return ProfilingVerbosity.DETAILED

    @property
    def hardware_compatibility_level(self) -> HardwareCompatibilityLevel:
        """It is planned anew on other machines in any case."""
        return HardwareCompatibilityLevel.NONE

    def _memory(self) -> int:
        return self._engine.describe()["memory"]["context_bytes"]

    max_batch_size = removed_property(lambda self: 1, None, "9.3", "the batch is a dimension of the tensors")
    has_implicit_batch_dimension = removed_property(lambda self: False, None, "10.16", "it is always False")
    device_memory_size = removed_property(_memory, None, "10.16", "use device_memory_size_v2")

    @property
    def device_memory_size_v2(self) -> int:
        """Bytes that a context takes for activations and scratch."""
        return self._memory()

    def __repr__(self) -> str:
        return "<tensorrt.ICudaEngine of %r>" % self._engine
