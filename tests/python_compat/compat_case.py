# SPDX-License-Identifier: Apache-2.0
"""What the tests of ferry.compat share: the stand-ins in place, a logger that listens, small models, and scripts run in
a Python of their own."""
import importlib
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "python"))

import python_case  # noqa: E402  (finds the library of this build, or skips)

import ferry.compat.install  # noqa: E402, F401

import numpy as np  # noqa: E402
import pycuda.driver as cuda  # noqa: E402
import tensorrt as trt  # noqa: E402

SCRIPTS = os.path.join(HERE, "scripts")
PICTURES = os.path.join(python_case.SOURCE, "examples", "pictures")
EXPLICIT = 1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH)


class Listener(trt.ILogger):
    """Keeps what is logged."""

    def __init__(self):
        trt.ILogger.__init__(self)
        self.lines = []

    def log(self, severity, msg):
        self.lines.append((severity, msg))

    def text(self, severity):
        """The messages of one severity."""
        return "\n".join(msg for s, msg in self.lines if s == severity)


class CompatCase(unittest.TestCase):
    """A test with a logger of its own."""

    def setUp(self):
        self.log = Listener()
        self.builder = trt.Builder(self.log)

    def network(self):
        """An empty one."""
        return self.builder.create_network(EXPLICIT)

    def build(self, network, config=None):
        """An engine; the test fails with the log where there is none."""
        engine = self.builder.build_engine_with_config(network, config or self.builder.create_builder_config())
        self.assertIsNotNone(engine, self.log.text(trt.Logger.ERROR))
        return engine

    def errors(self):
        """What was logged as errors."""
        return self.log.text(trt.Logger.ERROR)


def run(engine, *inputs):
    """Runs an engine on arrays through device memory; returns the outputs in order."""
    context = engine.create_execution_context()
    for i, array in enumerate(inputs):
        assert context.set_input_shape(engine.get_tensor_name(i), array.shape)
    names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
    outputs = [np.empty(tuple(context.get_tensor_shape(n)), trt.nptype(engine.get_tensor_dtype(n)))
               for n in names[len(inputs):]]
    memory = [cuda.to_device(a) for a in inputs] + [cuda.mem_alloc(max(o.nbytes, 1)) for o in outputs]
    assert context.execute_v2([int(m) for m in memory])
    for output, m in zip(outputs, memory[len(inputs):]):
        cuda.memcpy_dtoh(output, m)
    return outputs


def needed(package):
    """A package that a test can't do without; where it is not installed, the test is skipped, by name."""
    try:
        return importlib.import_module(package)
    except ImportError:
        raise unittest.SkipTest("%s is not installed" % package) from None


def conv_model(path, batch=1):
    """x [batch, 3, 8, 8] -> Conv, Relu, GlobalAveragePool -> y, as an ONNX file. batch may be a name."""
    onnx = needed("onnx")
    from onnx import TensorProto, helper, numpy_helper
    weights = np.random.RandomState(5).randn(4, 3, 3, 3).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["c"], name="conv", pads=[1, 1, 1, 1]),
         helper.make_node("Relu", ["c"], ["r"], name="relu"),
         helper.make_node("GlobalAveragePool", ["r"], ["y"], name="pool")], "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 4, 1, 1])],
        [numpy_helper.from_array(weights, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return path


def onnxruntime_outputs(path, feed):
    """What ONNX Runtime makes of it."""
    return needed("onnxruntime").InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, feed)


def run_script(script, *words, status=0):
    """Runs `python -m ferry.compat script words`; returns (standard output, error output)."""
    done = subprocess.run([sys.executable, "-m", "ferry.compat", script] + [str(w) for w in words],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=python_case.environment(), timeout=500)
    out, err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    if done.returncode != status:
        raise AssertionError("status %d, not %d\n%s\n%s" % (done.returncode, status, out, err))
    return out, err
