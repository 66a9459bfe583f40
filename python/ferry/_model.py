# SPDX-License-Identifier: Apache-2.0
"""A Model is an engine with what stands around it: preprocessing, decoder, labels. Pictures in, results out."""
import asyncio
import concurrent.futures
import functools
import logging
from typing import Any, Dict, List, Optional, Tuple, Union

import numpy

from ferry._context import Context, Outputs
from ferry._decoder import Decoder, decoder_of
from ferry._engine import Engine
from ferry._errors import InvalidArgumentError, UnsupportedError
from ferry._handles import Exclusive
from ferry._labels import Labels, labels_of
from ferry._pictures import pixels_of
from ferry._preprocess import Geometry, Preprocess
from ferry._results import Result
from ferry._types import DataType, binding_shape
from ferry._words import preprocess_in

_log = logging.getLogger("ferry")


class Model:
    """Callable on pictures (paths, PIL images, uint8 arrays) and on raw arrays.

        model("cat.jpg")            a ferry.Result: classes, detections or masks; of a raw task the outputs by name
        model([a, b, c])            a list of them, run in batches where the engine has room for batches
        model(array)                arrays that are the network's input already: the outputs by name
        model({"x": a, "y": b})     likewise, by the inputs' names
    """

    def __init__(self, engine: Engine, threads: int = 0, memory_limit: int = 0, task: Optional[str] = None,
                 decoder: Any = None, class_offset: Optional[int] = None, labels: Any = None, **pictures: Any) -> None:
        """pictures: preprocess and the settings of ferry.Preprocess, in place of those that the engine holds."""
        self.context: Context = Context(engine, memory_limit, threads=threads)
        self.engine = engine
        stored = engine.text("labels")
        self.labels = labels_of(labels) or (Labels.parse(stored) if stored else None)
        self._preprocess: Optional[Preprocess] = preprocess_in(pictures, engine.text("preprocess"))
        self._fitted: Optional[Preprocess] = None
        self.decoder = choose_decoder(self, task, decoder)
        if class_offset is not None:
            if self.decoder is None:
                raise InvalidArgumentError("class_offset: the outputs stay raw tensors; say what they mean with "
                                           "decoder")
            self.decoder = self.decoder.with_class_offset(class_offset)
        self._exclusive = Exclusive("model")
        self._executor: Optional[concurrent.futures.Executor] = None

    # --- Parts ---------------------------------------------------------------------------------------------------

    @property
    def task(self) -> str:
        """"classify", "detect", "segment" or "raw"."""
        return "raw" if self.decoder is None else self.decoder.task

    @property
    def preprocess(self) -> Preprocess:
        """How pictures become the input: from the engine, changed by options, fitted to the input's size."""
        if self._fitted is None:
            inputs = self.engine.inputs
            if len(inputs) != 1 or len(inputs[0].opt_shape) != 4:
                raise InvalidArgumentError("the network has %d inputs, the first of %d dimensions: pictures need one "
                                           "of 4; give raw arrays" % (len(inputs), len(inputs[0].opt_shape)))
            if self._preprocess is None:
                _log.warning("no preprocessing is stored or given; pictures go in stretched, RGB, 0..255")
            self._fitted = (self._preprocess or Preprocess()).fit_binding(inputs[0])
        return self._fitted

    @property
    def input_size(self) -> Tuple[int, int]:
        """Width and height of the input; 0 where they are not known."""
        shape = self.engine.inputs[0].opt_shape if self.engine.inputs else ()
        if len(shape) != 4:
            return 0, 0
        last = self._preprocess.channels_last if self._preprocess is not None else shape[3] <= 4 < shape[1]
        width, height = (shape[2], shape[1]) if last else (shape[3], shape[2])
        return max(width, 0), max(height, 0)

    def save(self, path: Any) -> None:
        """Writes the engine, with the decoder, labels and preprocessing that this model uses."""
        self.store()
        self.engine.save(path)

    def store(self) -> None:
        """Puts the decoder, labels and preprocessing that this model uses into the engine."""
        if self.decoder is not None:
            self.engine.set_text("decoder", self.decoder.to_json())
            self.engine.set_text("task", self.decoder.task)
        if self.labels is not None:
            self.engine.set_text("labels", self.labels.to_text())
        if self._preprocess is not None:
            self.engine.set_text("preprocess", self._preprocess.to_json())

    # --- Running -------------------------------------------------------------------------------------------------

    def __call__(self, *inputs: Any, **decode: Any) -> Any:
        """Runs on a picture, a list of pictures, or raw arrays.

        decode: top_k, score_threshold, nms_iou, max_det, max_candidates, labels_per_box: see ferry.Decoder."""
        if len(inputs) == 1 and isinstance(inputs[0], (list, tuple)) and inputs[0] and \
                all(self._is_picture(i) for i in inputs[0]):
            return self.run_pictures(inputs[0], **decode)
        if len(inputs) == 1 and self._is_picture(inputs[0]):
            return self.run_pictures([inputs[0]], **decode)[0]
        if decode:
            raise TypeError("%s: raw arrays are not decoded; model.decoder(outputs, ...) does it" % ", ".join(decode))
        return self.context.run(*inputs)

    def _is_picture(self, value: Any) -> bool:
        """Arrays are pictures where they are uint8 [height, width(, channels)] and the input has four dimensions."""
        if isinstance(value, numpy.ndarray):
            return value.dtype == numpy.uint8 and value.ndim in (2, 3) and \
                [len(b.shape) for b in self.engine.inputs] == [4]
        return isinstance(value, (str, bytes)) or hasattr(value, "__fspath__") or \
            hasattr(value, "convert") and hasattr(value, "mode")

    def run_pictures(self, pictures: Any, **decode: Any) -> List[Union[Result, Outputs]]:
        """A list of results, one a picture."""
        found: List[Union[Result, Outputs]] = []
        pictures = list(pictures)
        size = self._batch_size(len(pictures))
        for begin in range(0, len(pictures), size):
            found += self._run_batch(pictures[begin:begin + size], decode)
        return found

    def _batch_size(self, count: int) -> int:
        """How many pictures go in at once: as many as the input has room for, if they all have one size."""
        most = self.engine.inputs[0].max_shape[0] if self.preprocess.size[0] else 1
        return max(1, min(most, count))

    def _run_batch(self, pictures: List[Any], decode: Dict[str, Any]) -> List[Any]:
        pixels = [pixels_of(p) for p in pictures]
        with self._exclusive:
            array, geometries = self._fill(pixels)
            outputs = self.context.run(array)
        results = []
        for i, geometry in enumerate(geometries):
            if self.decoder is None:
                results.append(outputs if len(array) == 1 else {
                    name: o[i:i + 1] if o.shape[:1] == array.shape[:1] else o for name, o in outputs.items()})
                continue
            result = self.decoder(outputs, geometry, self.labels, batch_index=i, **decode)
            result._picture = pixels[i]
            results.append(result)
        return results

    def _fill(self, pixels: List[numpy.ndarray]) -> Tuple[numpy.ndarray, List[Geometry]]:
        """The input's array, with samples beyond the pictures zero where the engine's batch is fixed."""
        binding, preprocess = self.engine.inputs[0], self.preprocess
        data_type = binding.data_type
        made = data_type if data_type in (DataType.F32, DataType.F16, DataType.U8, DataType.S8) else DataType.F32
        if made != data_type and data_type not in (DataType.F64, DataType.BF16):
            raise UnsupportedError("input '%s' is %s: no pictures can be made of that" % (binding.name,
                                                                                        data_type.onnx))
        plan = preprocess.plan(pixels[0].shape[1], pixels[0].shape[0])
        hw = (plan.height, plan.width)
        sample = hw + (plan.channels,) if preprocess.channels_last else (plan.channels,) + hw
        array = numpy.zeros((max(len(pixels), binding.min_shape[0]),) + sample, made.numpy)
        geometries = [preprocess(p, made, out=array[i])[1] for i, p in enumerate(pixels)]
        return (array if made == data_type else array.astype(data_type.numpy)), geometries

    async def run_async(self, *inputs: Any, **decode: Any) -> Any:
        """The same for asyncio: the event loop goes on meanwhile."""
        if self._executor is None:
            self._executor = concurrent.futures.ThreadPoolExecutor(1, "ferry model")
        return await asyncio.get_event_loop().run_in_executor(self._executor,
                                                              functools.partial(self, *inputs, **decode))

    def close(self) -> None:
        """Lets go of engine and context."""
        if self._executor is not None:
            self._executor.shutdown(wait=False)
            self._executor = None
        self.context.close()
        self.engine.close()

    def __enter__(self) -> "Model":
        return self

    def __exit__(self, *_exception: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        return "<ferry.Model: %s, %r>" % (self.task, self.engine)


def choose_decoder(model: Model, task: Optional[str], decoder: Any) -> Optional[Decoder]:
    """What the outputs mean: as said, else as the engine has it, else proposed from the outputs' shapes."""
    engine = model.engine
    if task not in (None, "raw", "classify", "detect", "segment"):
        raise InvalidArgumentError("task must be classify, detect, segment or raw, not %r" % (task,))
    if task == "raw":
        return None
    chosen, stored = decoder_of(decoder), engine.text("decoder")
    if chosen is None and stored and task in (None, engine.task):
        return Decoder.from_json(stored)
    if chosen is None and task in ("classify", "segment"):
        chosen = Decoder(task)
    if chosen is None:
        chosen = _propose(model, task)
    if chosen is not None and task is not None and chosen.task != task:
        raise InvalidArgumentError("task '%s': the decoder '%s' is for %s" % (task, chosen.name, chosen.task))
    return chosen


def _propose(model: Model, task: Optional[str]) -> Optional[Decoder]:
    outputs = [b._replace(shape=_shape(model.context, b)) for b in model.engine.outputs]
    try:
        decoder, reason = Decoder.propose(outputs, model.input_size, len(model.labels or ()))
    except UnsupportedError as error:
        if task is not None:
            raise
        _log.info("outputs stay raw tensors: %s", error)
        return None
    _log.info("decoder '%s': %s", decoder.name, reason)
    return decoder


def _shape(context: Context, binding: Any) -> Any:
    context.prepare()
    return binding_shape(context._use(), binding.index)
