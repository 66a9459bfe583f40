# SPDX-License-Identifier: Apache-2.0
"""Loading a state dict with a report that says what did not fit: missing, unexpected, of another shape."""
import os
from typing import Any, Dict, List, NamedTuple, Tuple

import torch

from ferry._errors import FileError, InvalidArgumentError, UnsupportedError

# Where training scripts keep the state dict inside of a checkpoint.
_WITHIN = ("state_dict", "model_state_dict", "model_state", "model", "model_ema", "state_dict_ema", "ema", "net",
           "network", "weights", "params")
# What wrappers put before every name: DataParallel, torch.compile, Lightning.
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")
_MOST_LISTED = 20


class WeightsError(InvalidArgumentError):
    """The weights do not fit the model. `report` says where."""

    def __init__(self, report: "WeightsReport") -> None:
        super().__init__(str(report))
        self.report = report


class WeightsReport(NamedTuple("WeightsReport", [
        ("source", str), ("loaded", List[str]), ("missing", List[str]), ("unexpected", List[str]),
        ("mismatched", List[Tuple[str, Tuple[int, ...], Tuple[int, ...]]]), ("counters", List[str]),
        ("within", str), ("prefix", str)])):
    """What became of each entry. mismatched: name, the model's shape, the file's. counters: num_batches_tracked
    entries that the file lacks, as files from before PyTorch 0.4.1 do; a model in eval mode does not read them.
    within: the key of the checkpoint under which the weights were; prefix: what was cut off the file's names."""

    __slots__ = ()

    @property
    def fits(self) -> bool:
        """Whether nothing is missing, unexpected or of another shape."""
        return not (self.missing or self.unexpected or self.mismatched)

    def __str__(self) -> str:
        lines = ["%s: %d of %d tensors of the model loaded%s%s" % (
            self.source, len(self.loaded),
            len(self.loaded) + len(self.missing) + len(self.mismatched) + len(self.counters),
            ", from '%s'" % self.within if self.within else "",
            ", '%s' cut off the names" % self.prefix if self.prefix else "")]
        lines += _listed("missing (in the model, not in the file)", self.missing)
        lines += _listed("unexpected (in the file, not in the model)", self.unexpected)
        lines += _listed("of another shape", ["%s: %s in the model, %s in the file" % (name, list(ours), list(theirs))
                                              for name, ours, theirs in self.mismatched])
        if self.counters:
            lines.append("  %d num_batches_tracked are missing, which does not matter outside of training"
                         % len(self.counters))
        return "\n".join(lines)


def _listed(title: str, names: List[str]) -> List[str]:
    if not names:
        return []
    more = len(names) - _MOST_LISTED
    return ["  %s: %d" % (title, len(names))] + ["    " + name for name in names[:_MOST_LISTED]] + (
        ["    ... and %d more" % more] if more > 0 else [])


def load_weights(model: torch.nn.Module, weights: Any, strict: bool = True) -> WeightsReport:
    """Loads a state dict into a model: from a path (.pt, .pth, .bin, .safetensors) or a dict of tensors.

    A checkpoint around the state dict and a prefix that wrappers left on its names are looked through, which the
    report says. With `strict`, anything missing, unexpected or of another shape is a WeightsError and the model is
    left as it was; otherwise what fits is loaded, and the report tells the rest."""
    source = "the state dict"
    if isinstance(weights, (str, os.PathLike)):
        source = os.fspath(weights)
        weights = _read(source)
    given, within = _state_dict(weights, source)
    own = model.state_dict()
    given, prefix = _without_prefix(given, own)
    report = _report(own, given, source, within, prefix)
    if not report.fits and strict:
        raise WeightsError(report)
    if not report.loaded:
        raise WeightsError(report)
    model.load_state_dict({name: given[name] for name in report.loaded}, strict=False)
    return report


def _read(path: str) -> Any:
    if not os.path.exists(path):
        raise FileError("%s: there is no such file" % path)
    if path.endswith(".safetensors"):
        try:
            from safetensors.torch import load_file
        except ImportError:
            raise UnsupportedError("%s: reading .safetensors needs the package safetensors: pip install safetensors"
                                   % path) from None
        return load_file(path)
    try:
        # Pickles run code: only tensors and containers are taken.
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as reason:
        raise UnsupportedError("%s: not a file of weights alone: %s. If you trust it, load it yourself, "
                               "torch.load(path, weights_only=False), and give its state dict" % (
                                   path, str(reason).strip().split("\n")[0])) from reason


def _is_state_dict(value: Any) -> bool:
    return isinstance(value, dict) and any(isinstance(v, torch.Tensor) for v in value.values()) and all(
        isinstance(k, str) for k in value)


def _state_dict(weights: Any, source: str) -> Tuple[Dict[str, torch.Tensor], str]:
    """The tensors by name, and the key under which they were."""
    if isinstance(weights, dict):
        for key in _WITHIN:
            if _is_state_dict(weights.get(key)):
                return _tensors(weights[key]), key
        if _is_state_dict(weights):
            return _tensors(weights), ""
        raise InvalidArgumentError("%s: no tensors under any of its keys: %s" % (
            source, ", ".join(map(str, list(weights)[:_MOST_LISTED])) or "it is empty"))
    if isinstance(weights, torch.nn.Module):
        return _tensors(weights.state_dict()), ""
    raise TypeError("weights are a path or a dict of tensors, not %s" % type(weights).__name__)


def _tensors(state: Dict[str, Any]) -> Dict[str, torch.Tensor]:
    return {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}


def _without_prefix(given: Dict[str, torch.Tensor], own: Dict[str, Any]) -> Tuple[Dict[str, torch.Tensor], str]:
    """The names without what wrappers put before each of them, where the model's names are found so."""
    cut = ""
    while not any(name in own for name in given):
        prefix = next((p for p in _PREFIXES if given and all(name.startswith(p) for name in given)), None)
        if prefix is None:
            break
        given = {name[len(prefix):]: value for name, value in given.items()}
        cut += prefix
    return given, cut


def _report(own: Dict[str, Any], given: Dict[str, torch.Tensor], source: str, within: str,
            prefix: str) -> WeightsReport:
    # Entries of modules with state of their own (get_extra_state) are no tensors and are none of the file's.
    own = _tensors(own)
    loaded, missing, counters, mismatched = [], [], [], []
    for name, value in own.items():
        if name not in given:
            (counters if name.endswith("num_batches_tracked") else missing).append(name)
        elif given[name].shape != value.shape:
            mismatched.append((name, tuple(value.shape), tuple(given[name].shape)))
        else:
            loaded.append(name)
    return WeightsReport(source, loaded, missing, [n for n in given if n not in own], mismatched, counters, within,
                         prefix)
