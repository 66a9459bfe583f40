# SPDX-License-Identifier: Apache-2.0
"""PyTorch's two exporters to ONNX behind one call, and which of them and which opset to try in what order.

"trace" runs the model once and records it (TorchScript): in every release, needs nothing else. "dynamo" is
torch.export's: releases from 2.5 on, with the package onnxscript."""
import contextlib
import importlib.util
import inspect
import io
import logging
import os
import re
import warnings
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

import torch

from ferry._errors import InvalidArgumentError, UnavailableError
from ferry._network import Network

Axes = Dict[str, Dict[int, str]]

Request = NamedTuple("Request", [("module", torch.nn.Module), ("args", Tuple[torch.Tensor, ...]), ("star", bool),
                                 ("input_names", List[str]), ("output_names", List[str]), ("axes", Axes)])
Request.__doc__ = """What to export. star: the module takes its tensors as *tensors."""

# Below this opset the exporters write what later operators say in one node as several, with other rounding.
_OLDEST_WORTH_TRYING = 13


def release() -> Tuple[int, int]:
    """torch's (major, minor)."""
    found = re.match(r"(\d+)\.(\d+)", torch.__version__)
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)


def _has_dynamo() -> bool:
    return release() >= (2, 5) and "dynamo" in inspect.signature(torch.onnx.export).parameters


def why_not(exporter: str) -> Optional[str]:
    """Why an exporter is not there, with the way out; None where it is."""
    if exporter == "trace":
        return None
    if not _has_dynamo():
        return "torch %s has no such exporter that is usable: it came with 2.5" % torch.__version__
    if importlib.util.find_spec("onnxscript") is None:
        return "torch's newer exporter needs the package onnxscript: pip install onnxscript"
    return None


def exporters(wanted: str) -> List[str]:
    """Those to try, in order. "auto" begins with torch's own choice: tracing up to 2.8, dynamo from 2.9 on."""
    if wanted == "auto":
        order = ["dynamo", "trace"] if release() >= (2, 9) else ["trace", "dynamo"]
        return [e for e in order if why_not(e) is None]
    if wanted not in ("trace", "dynamo"):
        raise InvalidArgumentError("exporter '%s': there are 'auto', 'trace' and 'dynamo'" % wanted)
    reason = why_not(wanted)
    if reason:
        raise UnavailableError("exporter 'dynamo': %s" % reason)
    return [wanted]


def opsets(exporter: str) -> List[int]:
    """Those to try, in order: first what the exporter writes best, then its newest, then its oldest. None is newer
    than ferry knows."""
    from torch.onnx import _constants as constants
    own = constants.ONNX_DEFAULT_OPSET
    most = constants.ONNX_MAX_OPSET
    if exporter == "trace":
        most = getattr(constants, "ONNX_TORCHSCRIPT_EXPORTER_MAX_OPSET", most)
        # Where tracing is not torch's choice any more, its default is dynamo's.
        own = min(own, 17)
    newest = Network().opset
    order = [min(own, newest), min(most, newest), _OLDEST_WORTH_TRYING if exporter == "trace" else min(18, newest)]
    return sorted(set(order), key=order.index)


@contextlib.contextmanager
def _quietly() -> Iterator[io.StringIO]:
    """Keeps the exporters' progress and warnings off the terminal; what they say of a failure is in its exception."""
    said = io.StringIO()
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), contextlib.redirect_stdout(said):
            warnings.simplefilter("ignore")
            yield said
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)


def write(exporter: str, request: Request, path: str, opset: int) -> None:
    """Exports into `path`, and files beside it for weights above ONNX's 2 GB. Raises whatever the exporter does."""
    with _quietly(), _without_fused_attention():
        (_trace if exporter == "trace" else _dynamo)(request, path, opset)


@contextlib.contextmanager
def _without_fused_attention() -> Iterator[None]:
    """Keeps torch's attention modules from the fused operators that they use for inference, which no exporter knows.
    They use them only where nothing wants gradients; from 2.3 on there is a switch."""
    switch = getattr(torch.backends, "mha", None)
    before = switch.get_fastpath_enabled() if switch is not None else None
    try:
        if switch is not None:
            switch.set_fastpath_enabled(False)
        with torch.enable_grad():
            yield
    finally:
        if switch is not None:
            switch.set_fastpath_enabled(before)


def _trace(request: Request, path: str, opset: int) -> None:
    options = {"input_names": request.input_names, "output_names": request.output_names, "opset_version": opset,
               "dynamic_axes": request.axes or None}  # type: Dict[str, Any]
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:
        options["dynamo"] = False
    torch.onnx.export(request.module, request.args, path, **options)


def _dynamo(request: Request, path: str, opset: int) -> None:
    args, shapes = _open_dimensions(request)
    if request.star:
        shapes = (shapes,)
    # Within 2 GB the weights stay in the model file, which is then one file to copy.
    large = sum(t.numel() * t.element_size() for t in request.module.state_dict().values()
                if isinstance(t, torch.Tensor)) > (1 << 31) - (1 << 26)
    torch.onnx.export(request.module, args, path, dynamo=True, input_names=request.input_names,
                      output_names=request.output_names, opset_version=opset,
                      dynamic_shapes=shapes if request.axes else None, external_data=large, verbose=False)
    if not os.path.exists(path):
        raise RuntimeError("the exporter returned without writing %s" % path)


def _open_dimensions(request: Request) -> Tuple[Tuple[torch.Tensor, ...], Tuple[Optional[Dict[int, Any]], ...]]:
    """The dynamic axes in torch.export's form. It takes a size of 0 or 1 in the example for a constant one, so there
    the example is repeated."""
    dims = {}  # type: Dict[str, Any]
    args, shapes = [], []
    for name, tensor in zip(request.input_names, request.args):
        axes = request.axes.get(name, {})
        for axis in axes:
            if tensor.shape[axis] == 1:
                tensor = torch.cat([tensor, tensor], axis)
        args.append(tensor)
        shapes.append({axis: dims.setdefault(_identifier(word), torch.export.Dim(_identifier(word)))
                       for axis, word in axes.items()} or None)
    return tuple(args), tuple(shapes)


def _identifier(word: str) -> str:
    return re.sub(r"\W", "_", word) if not word[:1].isdigit() else "d_" + re.sub(r"\W", "_", word)


def first_lines(reason: BaseException, most: int = 3) -> str:
    """The beginning of what an exporter said, which may go on for pages."""
    lines = [line.strip() for line in str(reason).splitlines() if line.strip()]
    return "%s: %s" % (type(reason).__name__, " / ".join(lines[:most])[:400] if lines else "no reason given")


def axes_of(dynamic: Any, inputs: Dict[str, int], outputs: Dict[str, int]) -> Axes:
    """{tensor: {axis: name}} of what callers say: True (dimension 0 of each input is the batch), {tensor: [axes]} or
    {tensor: {axis: name}} as torch.onnx.export takes it. inputs, outputs: ranks by name."""
    if not dynamic:
        return {}
    if dynamic is True:
        return {name: {0: "batch"} for name, rank in inputs.items() if rank}
    if not isinstance(dynamic, dict):
        raise TypeError("dynamic_axes is True or {input: {axis: name}}, not %s" % type(dynamic).__name__)
    made = {}  # type: Axes
    for name, axes in dynamic.items():
        rank = inputs.get(name, outputs.get(name))
        if rank is None:
            raise InvalidArgumentError("dynamic_axes names '%s'; there are the inputs %s and the outputs %s" % (
                name, ", ".join(inputs), ", ".join(outputs)))
        named = axes if isinstance(axes, dict) else {axis: None for axis in axes}
        for axis in named:
            if not isinstance(axis, int) or not -rank <= axis < rank:
                raise InvalidArgumentError("dynamic_axes: '%s' has %d dimensions and no axis %r" % (name, rank, axis))
        made[name] = {axis % rank: word or "%s_%d" % (re.sub(r"\W", "_", name), axis % rank)
                      for axis, word in named.items()}
    return made
