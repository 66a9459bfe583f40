# SPDX-License-Identifier: Apache-2.0
"""From PyTorch to ferry and back: export a model to ONNX that ferry takes, or compile it into a module that runs.

    import ferry.torch

    report = ferry.torch.export(model, torch.randn(1, 3, 224, 224), "m.onnx")   # checked against torch; print(report)

    fast = ferry.torch.compile(model, torch.randn(1, 3, 224, 224), int8=True, calib=loader)
    fast(images)                    # torch tensors in and out, nested as the model nests them
    fast.save("m.engine")           # an engine like any other: `ferry run m.engine cat.jpg`
    fast = ferry.torch.load("m.engine")

torch is imported here and by nothing else of ferry. 1.13 to current work, with either exporter."""
from ferry.torch._compare import Comparison, Difference, MismatchError, compare
from ferry.torch._compile import compile, load  # noqa: A004  (torch2trt users look for a verb, and so did torch)
from ferry.torch._export import Export, ExportError, export
from ferry.torch._module import CompiledModule
from ferry.torch._weights import WeightsError, WeightsReport, load_weights

__all__ = ["Comparison", "CompiledModule", "Difference", "Export", "ExportError", "MismatchError", "WeightsError",
           "WeightsReport", "compare", "compile", "export", "load", "load_weights"]

for _name in __all__:
    globals()[_name].__module__ = "ferry.torch"
