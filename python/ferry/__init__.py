# SPDX-License-Identifier: Apache-2.0
"""ferry carries trained networks (ONNX) to the device that runs them.

A short tour. Each line works on its own; help() of each name says more.

    import ferry

    model = ferry.build("m.onnx", int8=True, calib="pictures/")  # the options of `ferry build`, as keywords
    model.save("m.engine")
    ferry.load("m.engine")("cat.jpg")             # classes, boxes or masks of a picture: path, PIL image or array

    engine = ferry.Engine.load("m.engine")        # the parts behind it, in TensorRT's words
    context = engine.create_context()
    outputs = context.run(array)                  # {name: array}, in place, without copies
    await context.run_async(array)                # the same in asyncio

    network = ferry.Network.load("m.onnx")        # look into a model, change it, or build one layer by layer
    config = ferry.BuilderConfig(fp16=True, calibration=my_calibrator)
    engine = ferry.Builder(ferry.Runtime("cpu")).build(network, config)

    runtime = engine.runtime                      # device memory, streams, events
    x = runtime.to_device(array)                  # speaks DLPack: torch.from_dlpack(x), runtime.from_dlpack(tensor)
    context.bind("x", x); context.bind("y", runtime.empty(shape)); context.enqueue(stream); stream.wait()

Everything that has a close() is a context manager and may be dropped in any order. What goes wrong is a ferry.Error
with the reason; exceptions in your callbacks come out of the call that ran them. Functions release the GIL."""
import importlib as _importlib
import sys as _sys
from types import ModuleType as _ModuleType

from ferry._builder import Builder, BuilderConfig, passes
from ferry._calibrator import Calibration, Calibrator
from ferry._context import Context
from ferry._decoder import Decoder
from ferry._engine import Engine
from ferry._errors import (BadDataError, BadEngineError, BadModelError, CancelledError, ClosedError, CopyWarning,
                           DeviceError, Error, FileError, InternalError, InvalidArgumentError, NotReadyError,
                           OutOfMemoryError, UnavailableError, UnsupportedError)
from ferry._histograms import HistogramInfo, Histograms
from ferry._labels import Labels
from ferry._library import lib as _lib
from ferry._logger import Logger
from ferry._memory import DeviceArray, DeviceMemory, from_dlpack
from ferry._metrics import AveragePrecision, CocoTruth, IoU, TopK, TrueBox
from ferry._model import Model
from ferry._network import Network, Node, Tensor, supports_operator
from ferry._observe import LayerTime
from ferry._oneliners import build, load
from ferry._pictures import (SampleList, color_of_class, encode_picture, pixels_of, read_picture, resize,
                             write_picture)
from ferry._preprocess import Geometry, Preprocess
from ferry._progress import ProgressReport
from ferry._results import Class, Detection, Result
from ferry._runtime import Runtime, default_runtime, devices, diagnose
from ferry._stream import Event, Stream
from ferry._types import Binding, DataType, Device, Precision, Severity

__version__ = _lib.version().decode()

__all__ = [
    "AveragePrecision", "BadDataError", "BadEngineError", "BadModelError", "Binding", "Builder", "BuilderConfig",
    "Calibration", "Calibrator", "CancelledError", "Class", "ClosedError", "CocoTruth", "Context", "CopyWarning",
    "DataType", "Decoder", "Detection", "Device", "DeviceArray", "DeviceError", "DeviceMemory", "Engine", "Error",
    "Event",
    "FileError", "Geometry", "HistogramInfo", "Histograms", "InternalError", "InvalidArgumentError", "IoU", "Labels",
    "LayerTime", "Logger", "Model", "Network", "Node", "NotReadyError", "OutOfMemoryError", "Precision", "Preprocess",
    "ProgressReport", "Result", "Runtime", "SampleList", "Severity", "Stream", "Tensor", "TopK", "TrueBox",
    "UnavailableError", "UnsupportedError", "build", "color_of_class", "default_runtime", "devices", "diagnose",
    "encode_picture",
    "from_dlpack", "load", "passes", "pixels_of", "read_picture", "resize", "supports_operator", "write_picture",
]

# Names are shown as they are used: ferry.Engine, not ferry._engine.Engine.
for _name in __all__:
    if getattr(globals()[_name], "__module__", "").startswith("ferry."):
        globals()[_name].__module__ = "ferry"


class _Package(_ModuleType):
    """Imports what leans on other libraries when it is first named: `ferry.torch.export(...)` needs no import of its
    own, and `import ferry` none of torch."""

    def __getattr__(self, name):
        if name in ("compat", "ray", "torch"):
            try:
                return _importlib.import_module("ferry." + name)
            except ImportError as reason:
                raise AttributeError("ferry.%s can't be imported: %s" % (name, reason)) from reason
        raise AttributeError("module 'ferry' has no attribute '%s'" % name)


_sys.modules[__name__].__class__ = _Package
