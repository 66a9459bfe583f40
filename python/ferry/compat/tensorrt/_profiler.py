# SPDX-License-Identifier: Apache-2.0
"""What scripts derive from to be told things: profilers, progress monitors, output allocators."""
from typing import Any, Dict, Optional

import ferry
from ferry.compat._offered import Shim


class IProfiler(Shim):
    """Gets the time of each layer: subclass it and define report_layer_time()."""

    def __init__(self) -> None:
        pass

    def report_layer_time(self, layer_name: str, ms: float) -> None:
        """One layer's time in one run."""
        raise NotImplementedError("a profiler needs a report_layer_time(layer_name, ms)")


class Profiler(IProfiler):
    """Prints the times."""

    def report_layer_time(self, layer_name: str, ms: float) -> None:
        """Prints one."""
        print("%s: %gms" % (layer_name, ms))


class IOutputAllocator(Shim):
    """Allocates outputs when their sizes are known: subclass it and define both methods."""

    def __init__(self) -> None:
        pass

    def reallocate_output(self, tensor_name: str, memory: int, size: int, alignment: int) -> int:
        """Returns the address of device memory of at least `size` bytes."""
        raise NotImplementedError("an output allocator needs a reallocate_output(tensor_name, memory, size, alignment)")

    def notify_shape(self, tensor_name: str, shape: Any) -> None:
        """Gets the output's true shape."""
        raise NotImplementedError("an output allocator needs a notify_shape(tensor_name, shape)")


class IProgressMonitor(Shim):
    """Is told how a build goes, and may end it: subclass it and define the three methods."""

    def __init__(self) -> None:
        pass

    def phase_start(self, phase_name: str, parent_phase: Optional[str], num_steps: int) -> None:
        """A phase begins."""

    def step_complete(self, phase_name: str, step: int) -> bool:
        """A step is done; False ends the build."""
        return True

    def phase_finish(self, phase_name: str) -> None:
        """A phase is over."""


class Progress:
    """ferry's progress reports as calls of a monitor's."""

    def __init__(self, monitor: IProgressMonitor) -> None:
        self._monitor = monitor
        self._steps: Dict[str, int] = {}

    def __call__(self, report: ferry.ProgressReport) -> bool:
        name, total = report.phase, int(report.total)
        if name not in self._steps:
            self.finish()
            self._steps = {name: 0}
            self._monitor.phase_start(name, None, total)
        go_on = True
        while self._steps[name] < int(report.done) and go_on:
            go_on = bool(self._monitor.step_complete(name, self._steps[name]))
            self._steps[name] += 1
        return go_on

    def finish(self) -> None:
        """The phase that was going on is over."""
        for name in self._steps:
            self._monitor.phase_finish(name)
        self._steps = {}
