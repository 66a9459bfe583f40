# SPDX-License-Identifier: Apache-2.0
"""Exports a model to an ONNX file that ferry takes, and compares the two."""
import os
import shutil
import tempfile
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

import numpy
import torch

from ferry._builder import Builder, BuilderConfig
from ferry._errors import BadModelError, UnsupportedError
from ferry._logger import Logger
from ferry._network import Network
from ferry._runtime import default_runtime
from ferry._types import Severity
from ferry.torch import _exporters
from ferry.torch._call import Call, evaluating
from ferry.torch._compare import Comparison, MismatchError, difference, to_numpy
from ferry.torch._tensors import array_of, tensor_of
from ferry.torch._weights import WeightsReport, load_weights

Attempt = NamedTuple("Attempt", [("exporter", str), ("opset", int), ("reason", str)])
Attempt.__doc__ = "One way of exporting that did not lead to a model that ferry takes, and why."


class ExportError(UnsupportedError):
    """No exporter and opset made a model that ferry takes. `attempts` has the reason of each."""

    def __init__(self, attempts: Sequence[Attempt]) -> None:
        super().__init__("the model could not be exported to an ONNX model that ferry takes:\n%s" % "\n".join(
            "  exporter '%s', opset %d: %s" % attempt for attempt in attempts))
        self.attempts = list(attempts)


class Export(NamedTuple("Export", [("path", str), ("nbytes", int), ("exporter", str), ("opset", int),
                                   ("inputs", List[str]), ("outputs", List[str]),
                                   ("comparison", Optional[Comparison]), ("weights", Optional[WeightsReport]),
                                   ("attempts", List[Attempt])])):
    """What was exported and how. comparison: None where it was not wanted. attempts: what did not work before."""

    __slots__ = ()

    def __str__(self) -> str:
        lines = [] if self.weights is None else [str(self.weights)]
        lines += ["exporter '%s', opset %d did not do: %s" % attempt for attempt in self.attempts]
        lines.append("%s: opset %d by exporter '%s', %.1f MB; inputs %s; outputs %s" % (
            self.path, self.opset, self.exporter, self.nbytes / 1e6, ", ".join(self.inputs),
            ", ".join(self.outputs)))
        return "\n".join(lines + ([str(self.comparison)] if self.comparison is not None else []))


def export(model: torch.nn.Module, example: Any, path: Any, weights: Any = None, strict: bool = True,
           dynamic_axes: Any = None, input_names: Optional[Sequence[str]] = None,
           output_names: Optional[Sequence[str]] = None, exporter: str = "auto", opset: int = 0, check: bool = True,
           rtol: float = 1e-3, atol: float = 1e-5) -> Export:
    """Writes `path`, an ONNX model that ferry takes and whose outputs are torch's. The file appears when all is well.

    model: any torch.nn.Module, also a scripted one. It is put into eval mode; its own modes come back afterwards.
    example: the inputs: a tensor, a tuple of arguments, or a dict of arguments by name; they may nest.
    weights: a state dict to load before, as a path or dict; with `strict` it must fit exactly. See load_weights().
    dynamic_axes: dimensions to leave open: True for dimension 0 of each input, or {input: {axis: name}}.
    input_names, output_names: by default those of forward()'s parameters, and "output" or the keys of its dict.
    exporter: "trace" or "dynamo"; "auto" takes torch's own choice first, then the other.
    opset: by default the one that the exporter writes best among those that ferry knows.
    check: build with ferry (FP32, on the CPU), run, and compare with torch: MismatchError where an element differs by
    more than atol + rtol * the output's largest magnitude. An input that is constant in the example is replaced by
    noise for it, since zeros would tell little; with an open batch, one larger by 1 is tried too."""
    return export_call(model, example, os.fspath(path), weights, strict, dynamic_axes, input_names, output_names,
                       exporter, opset, check, rtol, atol)[0]


def export_call(model: torch.nn.Module, example: Any, path: str, weights: Any = None, strict: bool = True,
                dynamic_axes: Any = None, input_names: Optional[Sequence[str]] = None,
                output_names: Optional[Sequence[str]] = None, exporter: str = "auto", opset: int = 0,
                check: bool = True, rtol: float = 1e-3, atol: float = 1e-5) -> Tuple[Export, Call]:
    """export(), and the call that was exported."""
    report = None if weights is None else load_weights(model, weights, strict)
    with evaluating(model):
        call = Call(model, example, input_names, output_names)
        axes = _exporters.axes_of(dynamic_axes, {n: t.dim() for n, t in zip(call.input_names, call.tensors)},
                                  {n: t.dim() for n, t in zip(call.output_names, call.results)})
        folder, name = os.path.split(os.path.abspath(path))
        # Beside the target, so that the files can be moved into their places.
        scratch = tempfile.mkdtemp(prefix=".ferry-export-", dir=folder)
        try:
            part = os.path.join(scratch, name)
            used, attempts = write(call, axes, part, exporter, opset)
            comparison = _check(call, axes, part, rtol, atol) if check else None
            if comparison is not None and not comparison.passed:
                raise MismatchError(comparison, "%s was not written. If the model is sensitive to rounding, allow more "
                                                "(rtol=, atol=); check=False writes it all the same" % path)
            nbytes = sum(os.path.getsize(os.path.join(scratch, file)) for file in os.listdir(scratch))
            _move(scratch, folder, name)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return Export(path, nbytes, used[0], used[1], call.input_names, call.output_names, comparison, report,
                  attempts), call


def _move(scratch: str, folder: str, model: str) -> None:
    """Weights beside the model first, then the model: it never refers to a file that is not there."""
    for name in sorted(os.listdir(scratch), key=lambda n: n == model):
        os.replace(os.path.join(scratch, name), os.path.join(folder, name))


def write(call: Call, axes: _exporters.Axes, path: str, exporter: str = "auto",
          opset: int = 0) -> Tuple[Tuple[str, int], List[Attempt]]:
    """Tries exporters and opsets until ferry takes the model: the pair that did it, and what did not."""
    module = call.module()
    request = _exporters.Request(module, tuple(call.tensors), module is not call.model, call.input_names,
                                 call.output_names, axes)
    attempts = []  # type: List[Attempt]
    for name in _exporters.exporters(exporter):
        for number in [opset] if opset else _exporters.opsets(name):
            for left in os.listdir(os.path.dirname(path)):
                os.remove(os.path.join(os.path.dirname(path), left))
            try:
                with evaluating(call.model):  # some releases put back the root's mode only, to all modules
                    _exporters.write(name, request, path, number)
            except Exception as reason:
                attempts.append(Attempt(name, number, _exporters.first_lines(reason)))
                if "opset" not in str(reason).lower():
                    break  # what the model does is not to this exporter's liking: another opset changes nothing
                continue
            try:
                Network.load(path, logger=Logger(Severity.ERROR, lambda _severity, _text: None)).close()
            except (UnsupportedError, BadModelError) as reason:
                attempts.append(Attempt(name, number, "ferry: " + str(reason).replace(path, os.path.basename(path))))
                continue
            return (name, number), attempts
    raise ExportError(attempts)


def _check(call: Call, axes: _exporters.Axes, path: str, rtol: float, atol: float) -> Comparison:
    """Builds, runs on one or two sets of inputs, and compares."""
    sets = [("", [_telling(tensor) for tensor in call.tensors])]
    larger = _larger(call, axes, sets[0][1])
    if larger is not None:
        sets.append((" with a larger batch", larger))
    quiet = Logger(Severity.ERROR)
    config = BuilderConfig(progress=False, logger=quiet)
    network = Network.load(path, logger=quiet)
    for i, name in enumerate(call.input_names):
        shapes = [tuple(tensors[i].shape) for _what, tensors in sets]
        if -1 in network.inputs[i].shape:
            config.set_shape(name, shapes[0], shapes[0], shapes[-1])
    engine = Builder(default_runtime("cpu")).build(network, config)
    found = []
    with engine.create_context() as context:
        for what, tensors in sets:
            _tree, wants = call.run(tensors)
            outputs = context.run(*[_dense(tensor) for tensor in tensors])
            for binding, (_name, want) in zip(engine.outputs, wants):
                got = to_numpy(tensor_of(outputs[binding.name], binding.data_type))
                found.append(difference(binding.name + what, got, to_numpy(want), rtol, atol))
    return Comparison(found)


def _dense(tensor: torch.Tensor) -> numpy.ndarray:
    return array_of(tensor.cpu().contiguous())


def _telling(tensor: torch.Tensor) -> torch.Tensor:
    """Noise in place of a constant floating-point input."""
    if not tensor.is_floating_point() or tensor.numel() < 2 or bool((tensor != tensor.reshape(-1)[0]).any()):
        return tensor
    generator = torch.Generator().manual_seed(0)
    return torch.randn(tensor.shape, generator=generator).to(tensor)


def _larger(call: Call, axes: _exporters.Axes, tensors: List[torch.Tensor]) -> Optional[List[torch.Tensor]]:
    """The inputs with one sample more where the batch is open; None where it is not, or the model itself refuses."""
    if not any(0 in axes.get(name, {}) for name in call.input_names):
        return None
    made = [torch.cat([tensor, tensor[:1]]) if 0 in axes.get(name, {}) and tensor.shape[0] else tensor
            for name, tensor in zip(call.input_names, tensors)]
    try:
        call.run(made)
    except Exception:  # it says by this that its batch is not free
        return None
    return made
