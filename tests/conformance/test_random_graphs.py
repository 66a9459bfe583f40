# SPDX-License-Identifier: Apache-2.0
"""Small random graphs against ONNX Runtime: whole graphs, since passes, fusions and layouts meet only there.

FERRY_RANDOM_GRAPHS=FIRST:COUNT takes other seeds than the usual ones: a seed that fails is named. FERRY_TEST_DEVICE=cuda
runs them there, with the CPU's help: in INT8 with the CPU's results."""
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
try:
    import numpy
    import onnx

    from support import random_graphs, random_nodes
except ImportError as missing:
    raise unittest.SkipTest("Python package %s is not there" % missing.name)

from support.ferry_python import call, relative_l2, require_device, run_tensors  # noqa: E402

DEVICE = os.environ.get("FERRY_TEST_DEVICE", "cpu")
FIRST, COUNT = (int(word) for word in os.environ.get("FERRY_RANDOM_GRAPHS", "1:60").split(":"))


def device_words(device):
    return ["--device", device] + ([] if device.startswith("cpu") else ["--gpu-fallback"])


class RandomGraphs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        require_device(DEVICE)

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def test_fp32__is_what_onnx_runtime_computes(self):
        nodes = 0
        for seed in range(FIRST, FIRST + COUNT):
            model, inputs, expected = random_graphs.random_graph(seed, random_nodes.MAKERS).model()
            nodes += len(model.graph.node)
            onnx.save(model, self.path("m.onnx"))
            with self.subTest(seed=seed):
                results = run_tensors(self.path("m.onnx"), inputs, *device_words(DEVICE))
                self.assertEqual(sorted(results), sorted(expected))
                for name, want in expected.items():
                    self.assertEqual(results[name].dtype, want.dtype, name)
                    error = relative_l2(results[name], want)
                    self.assertLessEqual(error, 1e-4 if want.dtype.kind == "f" else 0, name)
        self.assertGreater(nodes, 3 * COUNT)

    def test_int8__does_not_depend_on_the_device_or_instruction_set_and_is_close_to_float(self):
        # Discontinuous operators would turn a quantisation error into another answer.
        makers = [m for m in random_nodes.MAKERS if m not in (random_nodes.top, random_nodes.compare)]
        for seed in range(FIRST, FIRST + COUNT // 4):
            graph = random_graphs.random_graph(seed, makers, inputs=1)
            model, inputs, expected = graph.model()
            del model.graph.input[1:]  # initializers
            (name, x), = inputs.items()
            onnx.save(model, self.path("m.onnx"))
            random = numpy.random.default_rng(seed)
            numpy.save(self.path("samples.npy"), numpy.concatenate(
                [x] + [random.standard_normal(x.shape).astype(numpy.float32) for _ in range(6)]))
            with self.subTest(seed=seed):
                results = []
                for device in ("cpu", "cpu:none" if DEVICE == "cpu" else DEVICE):
                    call("build", self.path("m.onnx"), "-o", self.path("m.engine"), *device_words(device), "--int8",
                         "--calib", self.path("samples.npy"), "--calib-algo", "minmax", "--task", "raw")
                    results.append(run_tensors(self.path("m.engine"), {name: x}, *device_words(device)))
                for output, want in expected.items():
                    self.assertLess(relative_l2(results[0][output], results[1][output]), 1e-5, output)
                    self.assertLess(relative_l2(results[0][output], want), 0.4, output)


if __name__ == "__main__":
    unittest.main()
