# SPDX-License-Identifier: Apache-2.0
"""Q/DQ pairs in awkward places: with --int8 each tensor is rounded for exactly those readers that the model says."""
import os
import sys
import tempfile
import unittest

import numpy

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import ferry_python as ferry

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    import onnxruntime
except ImportError as missing:
    raise unittest.SkipTest("needs onnx and onnxruntime: %s" % missing)

STEP = 0.04  # the scale of the output


class Network:
    def __init__(self):
        self.random = numpy.random.default_rng(11)
        self.tensors, self.nodes = [], []

    def constant(self, name, array):
        self.tensors.append(numpy_helper.from_array(array, name))
        return name

    def node(self, op, inputs, output, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def pair(self, name, scale, tag=""):
        """DequantizeLinear(QuantizeLinear(name)); several on one tensor are told apart by `tag`."""
        s = self.constant(name + tag + "_s", numpy.float32(scale))
        z = self.constant(name + tag + "_z", numpy.int8(0))
        return self.node("DequantizeLinear", [self.node("QuantizeLinear", [name, s, z], name + tag + "_q"), s, z],
                         name + tag + "_dq")

    def conv(self, x, name, channels, wide, relu=False):
        w = self.random.integers(-128, 128, (wide, channels, 3, 3)).astype(numpy.int8)
        s = self.constant(name + "_ws", self.random.uniform(0.0005, 0.002, wide).astype(numpy.float32))
        z = self.constant(name + "_wz", numpy.zeros(wide, numpy.int8))
        weights = self.node("DequantizeLinear", [self.constant(name + "_w", w), s, z], name + "_wdq", axis=0)
        bias = self.constant(name + "_b", self.random.normal(0, 0.2, wide).astype(numpy.float32))
        y = self.node("Conv", [x, weights, bias], name, pads=[1, 1, 1, 1])
        return self.node("Relu", [y], name + "_r") if relu else y

    def model(self, output):
        graph = helper.make_graph(
            self.nodes, "qdq", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 12, 12])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)], self.tensors)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


class QdqExact(unittest.TestCase):
    def compare(self, network, output, largest_steps):
        """At most that many steps of the output's scale anywhere, and hardly any on average."""
        with tempfile.TemporaryDirectory() as folder:
            model, engine = os.path.join(folder, "m.onnx"), os.path.join(folder, "m.engine")
            onnx.save(network.model(output), model)
            x = network.random.normal(0, 1, (1, 4, 12, 12)).astype(numpy.float32)
            plain = onnxruntime.SessionOptions()
            plain.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            want = onnxruntime.InferenceSession(model, plain).run(None, {"x": x})[0]
            report = ferry.call_json("build", model, "-o", engine, "--int8")
            got = ferry.run_tensors(engine, {"x": x})[output]
        self.assertGreaterEqual(report["layers_by_precision"].get("int8", 0), 1)
        steps = numpy.abs(got - want) / STEP
        self.assertGreater(numpy.abs(want).max() / STEP, 8)
        self.assertLessEqual(steps.max(), largest_steps + 1e-3)
        self.assertLess(steps.mean(), 0.02)

    def test_clipping_pair_before_a_float_reader(self):
        n = Network()
        y = n.conv(n.pair("x", 0.02), "c", 4, 8)
        self.compare(n, n.node("Tanh", [n.pair(y, 0.003)], "y"), 1)

    def test_output_behind_a_pair(self):
        n = Network()
        y = n.conv(n.pair("x", 0.02), "c", 4, 8)
        self.compare(n, n.pair(y, STEP), 1)

    def test_pair_between_convolution_and_activation(self):
        n = Network()
        y = n.conv(n.pair("x", 0.02), "c", 4, 8)
        self.compare(n, n.node("Relu", [n.pair(y, STEP)], "y"), 1)
        n = Network()
        y = n.pair(n.conv(n.pair("x", 0.02), "c", 4, 8), 0.1)
        self.compare(n, n.pair(n.node("LeakyRelu", [y], "y", alpha=0.1), STEP), 3)

    def test_residual_that_is_read_without_its_pair(self):
        n = Network()
        a = n.conv(n.pair("x", 0.02), "a", 4, 8, relu=True)
        b = n.conv(n.pair(a, 0.5), "b", 8, 8)  # coarse: who reads `a` through it sees other numbers
        self.compare(n, n.pair(n.node("Add", [a, b], "sum"), STEP), 1)

    def test_residual_behind_pairs(self):
        n = Network()
        a = n.conv(n.pair("x", 0.02), "a", 4, 8, relu=True)
        a = n.pair(a, 0.03)
        b = n.pair(n.conv(a, "b", 8, 8), 0.05)
        self.compare(n, n.pair(n.node("Add", [a, b], "sum"), STEP), 1)

    def test_two_pairs_of_different_scales(self):
        n = Network()
        a = n.conv(n.pair("x", 0.02), "a", 4, 8, relu=True)
        b = n.conv(n.pair(a, 0.03, "1"), "b", 8, 8)
        c = n.conv(n.pair(a, 0.2, "2"), "c", 8, 8)
        self.compare(n, n.pair(n.node("Add", [b, c], "sum"), STEP), 1)

    def test_concat_of_different_scales(self):
        n = Network()
        x = n.pair("x", 0.02)
        a, b = n.pair(n.conv(x, "a", 4, 6), 0.02), n.pair(n.conv(x, "b", 4, 6), 0.05)
        joined = n.pair(n.node("Concat", [a, b], "joined", axis=1), 0.03)
        self.compare(n, n.pair(n.conv(joined, "c", 12, 4), STEP), 1)

    def test_pooled_pair(self):
        n = Network()
        a = n.pair(n.conv(n.pair("x", 0.02), "a", 4, 6), 0.05)
        pooled = n.pair(n.node("MaxPool", [a], "pooled", kernel_shape=[2, 2]), 0.06)
        self.compare(n, n.pair(n.conv(pooled, "c", 6, 4), STEP), 1)


if __name__ == "__main__":
    unittest.main()
