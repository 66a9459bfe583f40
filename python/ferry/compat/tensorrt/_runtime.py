# SPDX-License-Identifier: Apache-2.0
"""Runtime: engines from bytes."""
from typing import Any, Optional

import ferry
from ferry.compat import _device
from ferry.compat._offered import refused
from ferry.compat.tensorrt._builder import dla_cores
from ferry.compat.tensorrt._engine import ICudaEngine
from ferry.compat.tensorrt._logger import Log
from ferry.compat.tensorrt._recorder import WithoutRecorder


class Runtime(WithoutRecorder):
    """Loads engines."""

    def __init__(self, logger: Any) -> None:
        self._log = Log(logger)
        self._dla_core = -1
        self._threads = 0

    def deserialize_cuda_engine(self, serialized_engine: Any) -> Optional[ICudaEngine]:
        """An engine from the bytes of its file, or None with the reason in the log."""
        try:
            return ICudaEngine(ferry.Engine.deserialize(serialized_engine, _device.runtime()), self._log)
        except ferry.Error as error:
            text = str(error)
            if not bytes(memoryview(serialized_engine)[:8]).startswith(b"FERRY"):
                text += "; a plan that NVIDIA's TensorRT has written only runs in that release of TensorRT: build " \
                        "the engine again from its ONNX model"
            self._log.error("the engine was not loaded: %s" % text)
            return None

    @property
    def num_DLA_cores(self) -> int:
        """How many DLA cores there are."""
        return dla_cores()

    @property
    def DLA_core(self) -> int:
        """Which DLA core engines are loaded for; without effect on a machine that has none."""
        return self._dla_core

    @DLA_core.setter
    def DLA_core(self, core: int) -> None:
        if dla_cores():
            raise refused("Runtime.DLA_core", "an engine runs on the device that it was built for")
        self._log.warning("Runtime.DLA_core = %d, and this machine has no DLA core: engines run on %s"
                          % (int(core), _device.runtime().device))
        self._dla_core = int(core)

    @property
    def max_threads(self) -> int:
        """Host threads of an inference; 0: one for each core."""
        return self._threads

    @max_threads.setter
    def max_threads(self, threads: int) -> None:
        if int(threads):
            self._log.info("Runtime.max_threads has no effect: a stream uses one thread for each core that the process "
                           "may run on")
        self._threads = int(threads)

    @property
    def engine_host_code_allowed(self) -> bool:
        """Whether engines may hold host code: ferry's never do."""
        return False

    @engine_host_code_allowed.setter
    def engine_host_code_allowed(self, allowed: bool) -> None:
        if allowed:
            self._log.info("engine_host_code_allowed has no effect: engines of ferry's hold no code for the host")

    @property
    def logger(self) -> Any:
        """What it logs to."""
        return self._log.logger

    def get_plugin_registry(self) -> Any:
        """The registry of plugins: empty."""
        from ferry.compat.tensorrt._plugins import get_plugin_registry
        return get_plugin_registry()
