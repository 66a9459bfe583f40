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
from ferry._builder import Builder, BuilderConfig, passes
from ferry._calibrator import Calibration, Calibrator
from ferry._context import Context
from ferry._engine import Engine
from ferry._errors import (BadDataError, BadEngineError, BadModelError, CancelledError, ClosedError, CopyWarning,
                           Error, FileError, InternalError, InvalidArgumentError, NotReadyError, OutOfMemoryError,
                           UnavailableError, UnsupportedError)
from ferry._library import lib as _lib
from ferry._logger import Logger
from ferry._memory import DeviceArray, DeviceMemory, from_dlpack
from ferry._network import Network, Node, Tensor, supports_operator
from ferry._observe import LayerTime
from ferry._progress import ProgressReport
from ferry._runtime import Runtime, default_runtime, devices
from ferry._stream import Event, Stream
from ferry._types import Binding, DataType, Device, Precision, Severity

__version__ = _lib.version().decode()

__all__ = [
    "BadDataError", "BadEngineError", "BadModelError", "Binding", "Builder", "BuilderConfig", "Calibration",
    "Calibrator", "CancelledError", "ClosedError", "Context", "CopyWarning", "DataType", "Device", "DeviceArray",
    "DeviceMemory", "Engine", "Error", "Event", "FileError", "InternalError", "InvalidArgumentError", "LayerTime",
    "Logger", "Network", "Node", "NotReadyError", "OutOfMemoryError", "Precision", "ProgressReport", "Runtime",
    "Severity", "Stream", "Tensor", "UnavailableError", "UnsupportedError", "default_runtime", "devices",
    "from_dlpack", "passes", "supports_operator",
]

# Names are shown as they are used: ferry.Engine, not ferry._engine.Engine.
for _name in __all__:
    if getattr(globals()[_name], "__module__", "").startswith("ferry."):
        globals()[_name].__module__ = "ferry"
