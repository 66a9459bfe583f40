# SPDX-License-Identifier: Apache-2.0
"""ferry.load and ferry.build: a whole path in one line."""
import os
from typing import Any, Optional

from ferry._builder import Builder
from ferry._engine import Engine
from ferry._errors import InvalidArgumentError
from ferry._model import Model
from ferry._network import Network
from ferry._preprocess import SETTINGS
from ferry._runtime import Runtime, default_runtime
from ferry._words import BUILD, bytes_of, config_of, preprocess_in, refuse_unknown

_DEVICE = ("device", "gpu_fallback", "runtime")
_LOAD = _DEVICE + ("threads", "verify", "ram", "task", "labels", "class_offset", "decoder", "preprocess") + SETTINGS
_RUN = ("task", "class_offset", "decoder")


def _runtime_of(words: Any) -> Runtime:
    if words.get("runtime") is not None:
        return words["runtime"]
    return default_runtime(words.get("device"), bool(words.get("gpu_fallback")))


def load(engine: Any, **words: Any) -> Model:
    """Loads an engine file (or takes its bytes, or an Engine) and returns what runs it: ferry.load("m.engine")(img).

    words: options of `ferry run`: device, gpu_fallback, threads, verify, ram, task, labels, class_offset, decoder,
    preprocess, and its settings size, mean, std, resize, ...; or a runtime."""
    refuse_unknown(words, _LOAD, "load")
    if not isinstance(engine, Engine):
        runtime, verify = _runtime_of(words), bool(words.get("verify"))
        if isinstance(engine, (bytes, bytearray, memoryview)):
            engine = Engine.deserialize(engine, runtime, verify)
        else:
            engine = Engine.load(engine, runtime, verify)
    elif any(words.get(w) is not None for w in _DEVICE + ("verify",)):
        raise InvalidArgumentError("an Engine has its runtime already: leave device, runtime and verify out")
    return _model(engine, words)


def _model(engine: Engine, words: Any) -> Model:
    pictures = {name: words[name] for name in SETTINGS + ("preprocess",) if words.get(name) is not None}
    return Model(engine, threads=words.get("threads") or 0, memory_limit=bytes_of(words.get("ram") or 0, "ram"),
                 task=words.get("task"), decoder=words.get("decoder"), class_offset=words.get("class_offset"),
                 labels=words.get("labels"), **pictures)


def network_of(model: Any, logger: Any = None) -> Network:
    """A Network from a path, the bytes of a model, an onnx.ModelProto, or one that is there."""
    if isinstance(model, Network):
        return model
    if isinstance(model, (bytes, bytearray, memoryview)):
        return Network.parse(model, logger=logger)
    if callable(getattr(model, "SerializeToString", None)):
        return Network.parse(model.SerializeToString(), logger=logger)
    if isinstance(model, str) or isinstance(model, os.PathLike):
        return Network.load(model, logger)
    raise TypeError("a model is a path, bytes, an onnx.ModelProto or a ferry.Network, not %s" % type(model).__name__)


def build(model: Any, output: Optional[Any] = None, **words: Any) -> Model:
    """Builds an engine from a model (path, bytes, onnx.ModelProto or ferry.Network) and returns what runs it.

        ferry.build("m.onnx", "m.engine", int8=True, calib="pictures/", preprocess="imagenet", labels="names.txt")

    output: where to write the engine; None keeps it in memory. words: the options of `ferry build`, with '_' for '-':
    device, gpu_fallback, threads; fp16, bf16, int8, best, layer_precision={glob: precision}, plan; calib (a folder, a
    list, a .npy file, a ferry.Calibrator, or an iterable of arrays), calib_count, calib_seed, calib_batch, calib_algo,
    calib_cache, cache_version, recalibrate; shape={input: dims}, min_shape, opt_shape, max_shape; preprocess, size,
    mean, std, resize, resize_shorter, keep_ratio_height, rounding, pad, align, filter, color, layout; task, labels,
    class_offset, decoder; name, metadata, workspace, ram, timing_cache, strip_portable, no_fusion, no_winograd,
    low_memory, no_timing, int8_symmetric, tactics, tf32, no_fp16_guard, build_seconds, disable_pass; and progress,
    logger, runtime."""
    refuse_unknown(words, BUILD + _DEVICE, "build")
    runtime = _runtime_of(words)
    network = network_of(model, words.get("logger"))
    config = config_of(words, runtime)
    preprocess = preprocess_in(words)
    if preprocess is not None:
        config.preprocess = _fitted(preprocess, network)
    built = _model(Builder(runtime).build(network, config),
                   {name: words[name] for name in _RUN + ("threads", "ram") if words.get(name) is not None})
    built.store()
    if output is not None:
        built.engine.save(output)
    return built


def _fitted(preprocess: Any, network: Network) -> Any:
    """With the size that the model's input says; one that is left open is settled when the engine is used."""
    binding = next((b for b in network.bindings if b.is_input), None)
    if binding is None or len(binding.shape) != 4:
        return preprocess
    c, h, w = (3, 1, 2) if preprocess.channels_last else (1, 2, 3)
    shape = binding.shape
    return preprocess.fit(shape[w], shape[h], max(shape[c], 0)) if shape[w] > 0 and shape[h] > 0 else preprocess
