# SPDX-License-Identifier: Apache-2.0
"""From a torch model to a module that runs it with ferry: export, build, wrap."""
import os
import tempfile
from typing import Any, Dict, Optional, Sequence

import torch

from ferry._engine import Engine
from ferry._errors import InvalidArgumentError
from ferry._oneliners import build
from ferry._words import SHAPES, config_of
from ferry.torch._calibration import is_stream, samples_of
from ferry.torch._export import export_call
from ferry.torch._module import KEY, CompiledModule, Nest


def compile(model: torch.nn.Module, example: Any, int8: bool = False, calib: Any = None, fp16: bool = False,
            weights: Any = None, strict: bool = True, dynamic_axes: Any = None,
            input_names: Optional[Sequence[str]] = None, output_names: Optional[Sequence[str]] = None,
            exporter: str = "auto", opset: int = 0, check: bool = False, onnx: Any = None,
            **words: Any) -> CompiledModule:  # noqa: A001
    """A module that runs the model with ferry: it takes what the model takes and returns what it returns.

        fast = ferry.torch.compile(model, torch.randn(1, 3, 224, 224), int8=True, calib=loader)

    model, example, weights, strict, input_names, output_names, exporter, opset: as for export().
    calib: samples for INT8: a DataLoader or any iterable of tensors or of batches (of a tuple the first parts are the
    inputs, labels may follow; of a dict the inputs by name), a dataset, a tensor [N, ...], a folder of pictures (then
    say how they become tensors: preprocess, mean, std, ...), a list, a .npy file, or a ferry.Calibrator.
    calib_count: how many samples are taken; 500 by default.
    min_shape, opt_shape, max_shape: {input: shape}: a profile; the dimensions that differ are left open.
    check: compare the exported model with torch first, in FP32, as export() does. onnx: keep the ONNX file there.
    words: whatever else ferry.build() takes: layer_precision, timing_cache, threads, device, workspace, ..."""
    reserved = {"output", "model"} & set(words)
    if reserved:
        raise TypeError("compile() has no option '%s'; save() writes the engine" % "', '".join(sorted(reserved)))
    words.update(int8=int8, fp16=fp16)
    with tempfile.TemporaryDirectory(prefix="ferry-torch-") as folder:
        path = os.path.join(folder, "model.onnx") if onnx is None else os.fspath(onnx)
        report, call = export_call(model, example, path, weights=weights, strict=strict,
                                   dynamic_axes=_open_axes(dynamic_axes, words), input_names=input_names,
                                   output_names=output_names, exporter=exporter, opset=opset, check=check)
        if calib is not None:
            words["calib"] = samples_of(calib, call.input_names, words.get("calib_count") or 0)
            if is_stream(calib):
                words.pop("calib_count", None)
        nest = Nest(call.inputs, call.outputs, call.words, call.input_names, call.output_names)
        words["metadata"] = dict(words.get("metadata") or {}, **{KEY: nest.to_json()})
        words.setdefault("name", type(model).__name__)
        built = build(path, **words)
    module = CompiledModule(built.engine, built.context, nest, words.get("threads") or 0)
    module.report = report if onnx is not None else report._replace(path="the exported model")
    return module


def _open_axes(dynamic_axes: Any, words: Dict[str, Any]) -> Any:
    """What is open: what the caller says, and the dimensions that the profile's shapes leave between two sizes. Those
    of several inputs count as one where place and bounds are the same, as batches are."""
    if dynamic_axes is True or not any(words.get(word) is not None for word in ("min_shape", "max_shape")):
        return dynamic_axes
    made = {name: dict(axes) if isinstance(axes, dict) else {axis: None for axis in axes}
            for name, axes in (dynamic_axes or {}).items()}
    profile = config_of({word: words.get(word) for word in SHAPES}, None).shapes
    for name, (low, best, high) in profile.items():
        for axis in range(len(low)):
            if low[axis] != high[axis]:
                word = "batch" if axis == 0 else "dim%d_%d_%d_%d" % (axis, low[axis], best[axis], high[axis])
                made.setdefault(name, {}).setdefault(axis, word)
    return made


def load(engine: Any, runtime: Any = None, threads: int = 0) -> CompiledModule:
    """A module out of an engine: a path, bytes, or a ferry.Engine. One that compile() did not make takes its inputs by
    position and returns a tensor, or a tuple of them. Types of one's own in nested outputs come back as named tuples
    and dicts."""
    if isinstance(engine, Engine):
        if runtime is not None:
            raise InvalidArgumentError("an Engine has its runtime already: leave runtime out")
    elif isinstance(engine, (bytes, bytearray, memoryview)):
        engine = Engine.deserialize(engine, runtime)
    else:
        engine = Engine.load(engine, runtime)
    return CompiledModule(engine, threads=threads)
