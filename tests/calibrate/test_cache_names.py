# SPDX-License-Identifier: Apache-2.0
"""Calibration caches of real models: a line for every float activation of the ONNX file, under its own name, and the
same lines however the samples are batched, ordered and computed."""
import os
import re
import sys
import tempfile
import unittest

import numpy

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import ferry_python as ferry

try:
    import onnx
except ImportError as missing:
    raise unittest.SkipTest("needs onnx: %s" % missing)

MODELS = ["squeezenet1.1_fp32", "mobilenet_v1_0.25_224", "mobilenet_v1_0.75_192_fp32", "yolox_nano", "nanodet_m_416",
          "fastestdet_352", "ultraface_rfb_320", "ppocrv4_rec", "deeplabv3_mnv2_dm05_513"]
FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE, onnx.TensorProto.BFLOAT16)


def float_activations(path):
    """Names of the float graph inputs and node outputs; and those whose type onnx can't tell."""
    graph = onnx.shape_inference.infer_shapes(onnx.load(path)).graph
    types = {v.name: v.type.tensor_type.elem_type for v in list(graph.value_info) + list(graph.output)}
    constants = {t.name for t in graph.initializer}
    floats, unknown = set(), set()
    for value in graph.input:
        if value.name not in constants and value.type.tensor_type.elem_type in FLOATS:
            floats.add(value.name)
    for node in graph.node:
        for output in filter(None, node.output):
            if node.op_type == "Constant":  # its type is its attribute's, which inference copies
                types.setdefault(output, node.attribute[0].t.data_type)
            kind = types.get(output, 0)
            if kind in FLOATS:
                floats.add(output)
            elif kind == 0:
                unknown.add(output)
    return floats, unknown


def constants_made_by_nodes(path):
    return {o for node in onnx.load(path).graph.node if node.op_type == "Constant" for o in node.output}


def read_cache(path):
    """[(name, digits)] and the first line."""
    with open(path, encoding="utf-8", newline="") as f:
        lines = f.read().split("\n")
    assert lines[-1] == ""
    return lines[0], [tuple(line.rsplit(": ", 1)) for line in lines[1:-1]]


class CacheNames(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def calibrate(self, model, samples, *words):
        out = os.path.join(self.folder, "c.cache")
        ferry.call("calibrate", model, "-o", out, "--calib", samples, *words)
        return read_cache(out)

    def shape_words(self, model, sample):
        """Dynamic inputs get the sample's shape."""
        graph = onnx.load(model, load_external_data=False).graph
        value = [v for v in graph.input if v.name not in {t.name for t in graph.initializer}][0]
        dims = value.type.tensor_type.shape.dim
        if all(d.dim_value > 0 for d in dims):
            return []
        return ["--shape", "%s=%s" % (value.name, "x".join(str(d) for d in numpy.load(sample, mmap_mode="r").shape))]

    def test_one_line_for_each_float_activation(self):
        for name in MODELS:
            with self.subTest(model=name):
                model = ferry.data_path("models", name + ".onnx")
                sample = ferry.data_path("reference", name, "input.npy")
                floats, unknown = float_activations(model)
                first, lines = self.calibrate(model, sample, *self.shape_words(model, sample))
                self.assertRegex(first, r"^TRT-\d+-\w+$")
                names = [n for n, _ in lines]
                self.assertEqual(len(names), len(set(names)))
                self.assertEqual(sorted(floats - set(names) - constants_made_by_nodes(model)), [])
                self.assertEqual(sorted(set(names) - floats - unknown), [])
                for _, digits in lines:
                    self.assertTrue(re.match(r"^(0|[1-9a-f][0-9a-f]{0,7})$", digits), digits)

    def test_scales_depend_on_the_set_of_samples_alone(self):
        model = ferry.data_path("models", "ultraface_rfb_320.onnx")
        samples, reverse = os.path.join(self.folder, "s.npy"), os.path.join(self.folder, "r.npy")
        data = numpy.random.default_rng(3).normal(0, 0.6, (9, 3, 240, 320)).astype(numpy.float32)
        numpy.save(samples, data)
        numpy.save(reverse, data[::-1])
        for algorithm in ("entropy2", "mse"):
            wanted = self.calibrate(model, samples, "--calib-algo", algorithm, "--threads", 1)
            for words in (["--calib-batch", 7], ["--calib-batch", 64], ["--threads", 2]):
                self.assertEqual(self.calibrate(model, samples, "--calib-algo", algorithm, *words), wanted)
            self.assertEqual(self.calibrate(model, reverse, "--calib-algo", algorithm), wanted)
            self.assertNotEqual(self.calibrate(model, samples, "--calib-algo", algorithm, "--calib-count", 3), wanted)


if __name__ == "__main__":
    unittest.main()
