# SPDX-License-Identifier: Apache-2.0
"""The classic scripts, unedited, on a network of a few layers: on whatever device is the best here, so that they run on
an emulated GPU in seconds too."""
import glob
import os
import shutil
import sys
import tempfile
import unittest

import compat_case
from compat_case import PICTURES, SCRIPTS, ferry, np, python_case, run_script, trt

onnx = compat_case.needed("onnx")
compat_case.needed("PIL")
sys.path.insert(0, SCRIPTS)
import common  # noqa: E402  (the scripts' own)

LABELS = os.path.join(python_case.SOURCE, "examples", "labels", "imagenet.txt")


def write_model(path):
    """image [1, 3, 224, 224] -> two convolutions, a pooling, a matrix product -> logits [1, 1000]."""
    from onnx import TensorProto, helper, numpy_helper
    random = np.random.RandomState(3)

    def weights(name, *shape):
        values = random.randn(*shape) / np.sqrt(np.prod(shape[1:]))
        return numpy_helper.from_array(values.astype(np.float32), name)

    nodes = [helper.make_node("Conv", ["image", "w1"], ["c1"], name="conv1", strides=[4, 4], kernel_shape=[7, 7]),
             helper.make_node("Relu", ["c1"], ["r1"], name="relu1"),
             helper.make_node("MaxPool", ["r1"], ["p1"], name="pool1", kernel_shape=[3, 3], strides=[3, 3]),
             helper.make_node("Conv", ["p1", "w2"], ["c2"], name="conv2", strides=[2, 2], kernel_shape=[3, 3]),
             helper.make_node("Relu", ["c2"], ["r2"], name="relu2"),
             helper.make_node("GlobalAveragePool", ["r2"], ["g"], name="mean"),
             helper.make_node("Flatten", ["g"], ["f"], name="flat"),
             helper.make_node("Gemm", ["f", "w3"], ["logits"], name="classes", transB=1)]
    graph = helper.make_graph(nodes, "small",
                              [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 224, 224])],
                              [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 1000])],
                              [weights("w1", 8, 3, 7, 7), weights("w2", 16, 8, 3, 3), weights("w3", 1000, 16)])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


class SmallScripts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pictures = sorted(glob.glob(os.path.join(PICTURES, "run", "*.jpg")))[:2]
        if not cls.pictures:
            raise unittest.SkipTest("%s holds no pictures" % PICTURES)
        cls.folder = tempfile.mkdtemp()
        cls.model = write_model(os.path.join(cls.folder, "small.onnx"))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def script(self, name, *words):
        return run_script(os.path.join(SCRIPTS, name), *words)[0]

    def error(self, found, picture):
        """Relative L2 against ONNX Runtime."""
        feed = {"image": common.load_picture(picture)[np.newaxis]}
        expected = compat_case.onnxruntime_outputs(self.model, feed)[0].ravel()
        return np.linalg.norm(found.ravel() - expected) / np.linalg.norm(expected)

    def devices(self, engine):
        """Which devices run the layers of an engine file."""
        return {layer["device"].split(":")[0] for layer in ferry.Engine.load(self.path(engine)).layers
                if layer["kind"] == "layer"}

    @unittest.skipIf("emulator" in os.environ.get("FERRY_LIBCUDA", ""),
                     "an emulated GPU takes minutes for calibration and the timing of tactics")
    def test_int8(self):
        out = self.script("build_int8.py", self.model, os.path.join(PICTURES, "calibrate"), self.path("int8.trt"),
                          "--cache", self.path("cache"), "--check", self.pictures[0], self.path("int8.npy"))
        self.assertEqual(out.count("Calibrating batch"), 3)
        self.assertLess(self.error(np.load(self.path("int8.npy")), self.pictures[0]), 0.2)
        self.assertEqual(self.devices("int8.trt"), {ferry.default_runtime().device.split(":")[0]})

    def test_fp16(self):
        self.script("build_fp16.py", self.model, self.path("fp16.trt"), "--check", self.pictures[0],
                    self.path("fp16.npy"))
        self.assertLess(self.error(np.load(self.path("fp16.npy")), self.pictures[0]), 1e-2)
        self.assertEqual(self.devices("fp16.trt"), {ferry.default_runtime().device.split(":")[0]})

    def test_asynchronous_runs_in_threads(self):
        log = compat_case.Listener()
        builder = trt.Builder(log)
        network = builder.create_network(compat_case.EXPLICIT)
        self.assertTrue(trt.OnnxParser(network, log).parse_from_file(self.model))
        plan = builder.build_serialized_network(network, builder.create_builder_config())
        self.assertIsNotNone(plan, log.text(trt.Logger.ERROR))
        with open(self.path("fp32.trt"), "wb") as file:
            file.write(plan)
        os.mkdir(self.path("drawn"))
        self.script("infer_async.py", self.path("fp32.trt"), LABELS, self.path("drawn"), *self.pictures)
        for picture in self.pictures:
            name = os.path.splitext(os.path.basename(picture))[0] + ".npy"
            # TensorRT's builder lets FP32 products round to TF32 unless it is told otherwise.
            self.assertLess(self.error(np.load(os.path.join(self.path("drawn"), name)), picture), 1e-3)


if __name__ == "__main__":
    unittest.main()
