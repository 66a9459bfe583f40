# SPDX-License-Identifier: Apache-2.0
"""A stand-in for TensorRT's Python API over ferry: `import tensorrt as trt` in a script that runs in compat mode.

__version__ is 8.6.1: release 8.6 has both worlds, bindings by index and tensors by name, build_engine and
build_serialized_network, calibrators and layer precision, and scripts that ask for the version choose between them by
it. Names that only 7 or 9 to 10 have are there as well. Calibration caches say TRT-8601 for the same reason.

A build or a load that fails gives None, and False comes back from a run that does, with the reason in the log: so
TensorRT does it. What a script's own code raises (a calibrator, a logger) comes out of the call that ran it."""
from ferry.compat._offered import answer_for
from ferry.compat.tensorrt import _enums, _layer_enums
from ferry.compat.tensorrt._builder import Builder
from ferry.compat.tensorrt._calibrator import (IInt8Calibrator, IInt8EntropyCalibrator, IInt8EntropyCalibrator2,
                                               IInt8LegacyCalibrator, IInt8MinMaxCalibrator)
from ferry.compat.tensorrt._config import IBuilderConfig
from ferry.compat.tensorrt._context import IExecutionContext
from ferry.compat.tensorrt._engine import ICudaEngine
from ferry.compat.tensorrt._inspect import EngineInspector
from ferry.compat.tensorrt._layer import ILayer
from ferry.compat.tensorrt._layers_shape import (IConcatenationLayer, IGatherLayer, INormalizationLayer,
                                                 IResizeLayer, ISelectLayer, IShapeLayer, IShuffleLayer, ISliceLayer)
from ferry.compat.tensorrt._layers_values import (IActivationLayer, ICastLayer, IConstantLayer, IDequantizeLayer,
                                                  IElementWiseLayer, IFullyConnectedLayer, IIdentityLayer,
                                                  IMatrixMultiplyLayer, IParametricReLULayer, IQuantizeLayer,
                                                  IReduceLayer, IScaleLayer, ISoftMaxLayer, ITopKLayer, IUnaryLayer)
from ferry.compat.tensorrt._layers_window import (IConvolutionLayer, IDeconvolutionLayer, ILRNLayer, IPaddingLayer,
                                                  IPoolingLayer)
from ferry.compat.tensorrt._logger import ILogger, Logger
from ferry.compat.tensorrt._network import INetworkDefinition
from ferry.compat.tensorrt._parser import OnnxParser, ParserError, get_nv_onnx_parser_version
from ferry.compat.tensorrt._plugins import IPluginRegistry, get_plugin_registry, init_libnvinfer_plugins
from ferry.compat.tensorrt._profile import IOptimizationProfile
from ferry.compat.tensorrt._profiler import IOutputAllocator, IProfiler, IProgressMonitor, Profiler
from ferry.compat.tensorrt._runtime import Runtime
from ferry.compat.tensorrt._tensor import ITensor
from ferry.compat.tensorrt._timing import ITimingCache
from ferry.compat.tensorrt._types import (DataType, Dims, Dims2, Dims3, Dims4, DimsHW, IHostMemory, Permutation,
                                          Weights, nptype, volume)

__version__ = "8.6.1"

__all__ = [
    "Builder", "DataType", "Dims", "Dims2", "Dims3", "Dims4", "DimsHW", "EngineInspector", "IActivationLayer",
    "IBuilderConfig", "ICastLayer", "IConcatenationLayer", "IConstantLayer", "IConvolutionLayer", "ICudaEngine",
    "IDeconvolutionLayer", "IDequantizeLayer", "IElementWiseLayer", "IExecutionContext",
    "IFullyConnectedLayer", "IGatherLayer", "IHostMemory", "IIdentityLayer", "IInt8Calibrator",
    "IInt8EntropyCalibrator", "IInt8EntropyCalibrator2", "IInt8LegacyCalibrator", "IInt8MinMaxCalibrator", "ILRNLayer",
    "ILayer", "ILogger", "IMatrixMultiplyLayer", "INetworkDefinition", "INormalizationLayer", "IOptimizationProfile",
    "IOutputAllocator", "IPaddingLayer", "IParametricReLULayer", "IPluginRegistry", "IPoolingLayer", "IProfiler",
    "IProgressMonitor", "IQuantizeLayer", "IReduceLayer", "IResizeLayer", "IScaleLayer", "ISelectLayer", "IShapeLayer",
    "IShuffleLayer", "ISliceLayer", "ISoftMaxLayer", "ITensor", "ITimingCache", "ITopKLayer", "IUnaryLayer", "Logger",
    "OnnxParser", "ParserError", "Permutation", "Profiler", "Runtime", "Weights", "get_nv_onnx_parser_version",
    "get_plugin_registry", "init_libnvinfer_plugins", "nptype", "volume",
]

# The enumerations, all of them.
for _module in (_enums, _layer_enums):
    for _name, _value in vars(_module).items():
        if isinstance(_value, type) and _value.__module__ == _module.__name__:
            globals()[_name] = _value
            __all__.append(_name)

float32, float16, int8, int32 = DataType.FLOAT, DataType.HALF, DataType.INT8, DataType.INT32
bool, uint8, int64 = DataType.BOOL, DataType.UINT8, DataType.INT64
bfloat16, fp8, int4, fp4 = DataType.BF16, DataType.FP8, DataType.INT4, DataType.FP4

answer_for(__name__)
