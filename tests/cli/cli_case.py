# SPDX-License-Identifier: Apache-2.0
"""A small classifier with known answers, pictures for it, and a folder of its own for each test of the command."""
import csv
import os
import shutil
import subprocess
import tempfile
import unittest

from support.ferry_python import COMMAND, call, call_json  # noqa: F401

try:
    import numpy
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from PIL import Image
except ImportError as missing:
    raise unittest.SkipTest("Python package %s is not there" % missing.name)

SIZE = 32
COLOURS = [(230, 30, 30), (30, 230, 30), (30, 30, 230)]


def write_classifier(path, classes=3):
    """Says which of red, green and blue a picture holds most of: a convolution that passes each colour on, then means."""
    weights = numpy.zeros((classes, 3, 3, 3), numpy.float32)
    for c in range(classes):
        weights[c, c % 3, 1, 1] = 1.0
    dense = numpy.eye(classes, dtype=numpy.float32) * 8
    nodes = [
        helper.make_node("Conv", ["input", "w"], ["conv"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["conv"], ["act"], "act"),
        helper.make_node("GlobalAveragePool", ["act"], ["mean"], "mean"),
        helper.make_node("Flatten", ["mean"], ["flat"], "flat"),
        helper.make_node("MatMul", ["flat", "d"], ["logits"], "dense"),
        helper.make_node("Softmax", ["logits"], ["output"], "softmax", axis=1),
    ]
    graph = helper.make_graph(
        nodes, "colours", [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, classes])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(dense, "d")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)


def write_pictures(folder, count=12):
    """Pictures of one colour each with noise, and labels.csv, which names them."""
    random = numpy.random.default_rng(7)
    os.makedirs(folder, exist_ok=True)
    rows = [("file", "class_index", "name")]
    for i in range(count):
        pixels = numpy.clip(numpy.array(COLOURS[i % 3]) + random.integers(-25, 25, (40, 48, 3)), 0, 255)
        name = "picture%02d.png" % i
        Image.fromarray(pixels.astype(numpy.uint8)).save(os.path.join(folder, name))
        rows.append((name, i % 3, "colour, no. %d" % (i % 3)))
    with open(os.path.join(folder, "labels.csv"), "w", newline="", encoding="utf-8") as f:
        csv.writer(f).writerows(rows)


class CliCase(unittest.TestCase):
    """self.folder is the working folder of every call, with model.onnx and pictures/ in it."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="ferry-cli-")
        cls.model = os.path.join(cls.folder, "model.onnx")
        cls.pictures = os.path.join(cls.folder, "pictures")
        cls.labels = os.path.join(cls.pictures, "labels.csv")
        cls.picture = os.path.join(cls.pictures, "picture00.png")
        write_classifier(cls.model)
        write_pictures(cls.pictures)
        cls.engine = cls.path("model.engine")
        call("build", cls.model, "-o", cls.engine, "--preprocess", "unit")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder, name)

    def status(self, *words, **options):
        """(exit status, standard output, standard error) of a call that may fail in any way."""
        done = subprocess.run(COMMAND + [str(w) for w in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, timeout=300, **options)
        return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")

    def refused(self, *words, says, status=1):
        """The command fails with this status, and its reason holds `says`."""
        code, out, err = self.status(*words)
        self.assertEqual(code, status, err)
        self.assertIn("ferry: error: ", err)
        self.assertIn(says, err)
        return err

    def leftovers(self):
        """Files that atomic writing would leave if it failed to clean up."""
        return [name for name in os.listdir(self.folder) if "tmp" in name or name.startswith(".")]
