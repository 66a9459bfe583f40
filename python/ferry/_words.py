# SPDX-License-Identifier: Apache-2.0
"""The options of the `ferry build` command as Python keywords: the same words with '_' for '-', the same meaning."""
import os
import re
from typing import Any, Dict, List, Tuple

from ferry._builder import BuilderConfig
from ferry._calibrator import Calibration
from ferry._errors import InvalidArgumentError
from ferry._labels import labels_of
from ferry._library import U64, integer
from ferry._preprocess import SETTINGS, Preprocess, preprocess_of
from ferry._types import Precision, Shape, shape_of

PRECISIONS = ("fp16", "bf16", "int8", "best")
PLAIN = ("name", "timing_cache", "threads", "strip_portable", "no_fusion", "no_winograd", "low_memory", "no_timing",
         "int8_symmetric", "tactics", "tf32", "no_fp16_guard",
         "build_seconds", "progress", "logger", "task")
CALIBRATION = {"calib": "source", "calib_count": "count", "calib_seed": "seed", "calib_batch": "batch",
               "calib_algo": "algorithm", "calib_cache": "cache", "cache_version": "cache_version",
               "recalibrate": "recalibrate"}
SHAPES = ("shape", "min_shape", "opt_shape", "max_shape")
OTHERS = ("layer_precision", "plan", "metadata", "workspace", "ram", "disable_pass", "preprocess", "labels")
# What decides how results are read; the model takes these, not the configuration.
RESULTS = ("decoder", "class_offset")
BUILD = PRECISIONS + PLAIN + tuple(CALIBRATION) + SHAPES + OTHERS + SETTINGS + RESULTS

_UNITS = {"": 0, "B": 0, "K": 10, "KB": 10, "KIB": 10, "M": 20, "MB": 20, "MIB": 20, "G": 30, "GB": 30, "GIB": 30}


def refuse_unknown(words: Dict[str, Any], known: Tuple[str, ...], function: str) -> None:
    """A word that nobody knows is a mistake, not a wish."""
    unknown = sorted(set(words) - set(known))
    if unknown:
        raise TypeError("ferry.%s() has no option '%s'; it has %s" % (function, "', '".join(unknown),
                                                                      ", ".join(sorted(known))))


def bytes_of(size: Any, word: str) -> int:
    """A number of bytes: an int, or a text such as "64M" or "1GiB"."""
    if not isinstance(size, str):
        return integer(size, word, 0, U64)
    match = re.match(r"\s*([0-9.]+)\s*([A-Za-z]*)\s*$", size)
    if not match or match.group(2).upper() not in _UNITS:
        raise InvalidArgumentError("%s: '%s' is no size; write e.g. 512M or 1GiB" % (word, size))
    return int(float(match.group(1)) * (1 << _UNITS[match.group(2).upper()]))


def _pairs(value: Any, word: str, example: str) -> List[Tuple[str, Any]]:
    """A dict, or texts NAME=VALUE as on the command line."""
    if isinstance(value, dict):
        return list(value.items())
    texts = [value] if isinstance(value, str) else list(value)
    if not all(isinstance(t, str) and "=" in t.strip("=") for t in texts):
        raise InvalidArgumentError("%s is a dict, or texts such as '%s'; not %r" % (word, example, value))
    return [tuple(t.rsplit("=", 1) if word != "metadata" else t.split("=", 1)) for t in texts]  # type: ignore


def _dims(value: Any, name: str) -> Shape:
    if isinstance(value, str):
        try:
            value = [int(d) for d in value.split("x")]
        except ValueError:
            raise InvalidArgumentError("input '%s': '%s' is no shape; write e.g. 1x3x224x224" % (name, value)) from None
    return shape_of(value, "input '%s'" % name)


def _add_shapes(config: BuilderConfig, words: Dict[str, Any]) -> None:
    given = {word: dict(_pairs(words[word], word, "images=1x3x224x224")) for word in SHAPES
             if words.get(word) is not None}
    names = {name for pairs in given.values() for name in pairs}
    for name in sorted(names):
        shapes = {word: _dims(pairs[name], name) for word, pairs in given.items() if name in pairs}
        if "shape" in shapes and len(shapes) > 1:
            raise InvalidArgumentError("input '%s': shape fixes it; leave it or the profile out" % name)
        if "shape" in shapes:
            config.set_shape(name, shapes["shape"])
            continue
        opt = shapes.get("opt_shape", shapes.get("max_shape", shapes.get("min_shape")))
        config.set_shape(name, shapes.get("min_shape", opt), opt, shapes.get("max_shape", opt))


def _add_calibration(config: BuilderConfig, words: Dict[str, Any]) -> None:
    given = {ours: words[word] for word, ours in CALIBRATION.items() if words.get(word) is not None}
    if not given:
        return
    if "source" not in given and "cache" not in given:
        raise InvalidArgumentError("%s alone has no effect: name the samples with calib, or a cache with calib_cache"
                                   % ", ".join(w for w, ours in CALIBRATION.items() if ours in given))
    if not any(words.get(word) for word in ("int8", "best", "fp16")):
        raise InvalidArgumentError("calib serves INT8, and FP16's guard: add int8=True, fp16=True, or best=True")
    config.calibration = Calibration(**given)


def _plan_text(plan: Any) -> str:
    if isinstance(plan, str) and ("\n" in plan or plan.lstrip().startswith("{")):
        return plan
    with open(os.fspath(plan), encoding="utf-8") as file:
        return file.read()


def preprocess_in(words: Dict[str, Any], stored: Any = None) -> Any:
    """The preprocessing that the words say, changed from what is stored; None where neither is there."""
    base = preprocess_of(words.get("preprocess")) or preprocess_of(stored)
    settings = {name: words[name] for name in SETTINGS if words.get(name) is not None}
    if settings:
        base = (base or Preprocess()).replace(**settings)
    return base


def config_of(words: Dict[str, Any], runtime: Any) -> BuilderConfig:
    """A BuilderConfig from the command's words."""
    config = BuilderConfig(**{name: words[name] for name in PLAIN if words.get(name) is not None})
    for name in ("fp16", "bf16", "int8"):
        setattr(config, name, bool(words.get(name)))
    _add_shapes(config, words)
    _add_calibration(config, words)
    if words.get("best"):
        scales = config.calibration is not None or words.get("plan") is not None or config.int8
        fast = runtime.fast_precisions
        config.precisions |= fast if scales else fast & ~Precision.INT8
    if words.get("layer_precision") is not None:
        config.layer_precision = dict(_pairs(words["layer_precision"], "layer_precision", "conv1*=fp32"))
    if words.get("metadata") is not None:
        config.metadata = dict(_pairs(words["metadata"], "metadata", "author=me"))
    if words.get("plan") is not None:
        config.plan = _plan_text(words["plan"])
    if words.get("disable_pass") is not None:
        names = words["disable_pass"]
        config.disabled_passes = [names] if isinstance(names, str) else list(names)
    config.workspace = bytes_of(words.get("workspace") or 0, "workspace")
    config.memory = bytes_of(words.get("ram") or 0, "ram")
    config.labels = labels_of(words.get("labels"))
    return config
