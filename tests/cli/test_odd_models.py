# SPDX-License-Identifier: Apache-2.0
"""Models that are legal and unlike most: outputs that no node makes, parameters that are inputs.

They run as ONNX says, and outputs keep their names where they can."""
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
try:
    import numpy
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError as missing:
    raise unittest.SkipTest("Python package %s is not there" % missing.name)

from support.ferry_python import relative_l2, run_tensors  # noqa: E402


def value(name, shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


class OddModels(unittest.TestCase):
    def results(self, nodes, inputs, outputs, constants=()):
        """Of a model over {name: array} whose initializers are pairs of name and array."""
        graph = helper.make_graph(nodes, "g", [value(n, a.shape) for n, a in inputs.items()],
                                  [onnx.ValueInfoProto(name=n) for n in outputs],
                                  [numpy_helper.from_array(a, n) for n, a in constants])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "m.onnx")
            onnx.save(model, path)
            return [run_tensors(path, inputs, *options) for options in ((), ("--no-fusion",))]

    def setUp(self):
        self.x = numpy.random.default_rng(1).standard_normal((2, 3, 4, 5)).astype(numpy.float32)
        self.relu = helper.make_node("Relu", ["x"], ["y"])

    def test_constant_as_output__keeps_its_name(self):
        c = numpy.array([1, 2, 3], numpy.float32)
        for got in self.results([self.relu], {"x": self.x}, ["y", "c"], [("c", c)]):
            self.assertEqual(sorted(got), ["c", "y"])
            self.assertTrue((got["c"] == c).all())

    def test_input_as_output__is_called_after_it(self):
        for got in self.results([self.relu], {"x": self.x}, ["y", "x"]):
            self.assertEqual(sorted(got), ["x_output", "y"])
            self.assertTrue((got["x_output"] == self.x).all())
        taken = helper.make_node("Neg", ["x"], ["x_output"])
        for got in self.results([taken], {"x": self.x}, ["x_output", "x"]):
            self.assertEqual(sorted(got), ["x_output", "x_output2"])
            self.assertTrue((got["x_output2"] == self.x).all())

    def test_batch_normalisation__of_given_parameters(self):
        s = numpy.array([0.5, 1, 2], numpy.float32)
        node = helper.make_node("BatchNormalization", ["x", "s", "s", "c", "s"], ["y"])
        c = numpy.array([1, -1, 0], numpy.float32)
        wide = s.reshape(3, 1, 1)
        want = (self.x - c.reshape(3, 1, 1)) / numpy.sqrt(wide + 1e-5) * wide + wide
        for got in self.results([node], {"x": self.x, "s": s}, ["y"], [("c", c)]):
            self.assertLess(relative_l2(got["y"], want), 1e-6)


if __name__ == "__main__":
    unittest.main()
