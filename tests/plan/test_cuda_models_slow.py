# SPDX-License-Identifier: Apache-2.0
"""Plans of real models for a Jetson that is not here: built by an NVRTC alone, then inspected. What runs on the GPU is all
but the operators listed here. Needs an NVRTC of CUDA 12 (FERRY_LIBNVRTC); tools/ci/cuda.sh brings one."""
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
from support.ferry_python import DATA, MODELS, call, call_json  # noqa: E402

TARGET = "orin-nano"
# File -> further words of the build, and the operators that are left to the CPU.
WHEELS = {
    "ch_ppocr_mobile_v2.0_cls_infer.onnx": (["--shape", "x=1x3x48x192"], set()),
    "ch_PP-OCRv4_det_infer.onnx": (["--shape", "x=1x3x320x320"], set()),
    "ch_PP-OCRv4_rec_infer.onnx": (["--shape", "x=1x3x48x320"], set()),
    "efficientnet_lite0.onnx": ([], set()),
}
COLLECTION = {
    "squeezenet1.1_fp16.onnx": ([], set()),
    "mobilenet_v1_0.25_224.onnx": ([], set()),
    "mobilenet_v1_0.75_192_qdq_uint8.onnx": (["--int8"], set()),
    "yolox_nano.onnx": ([], set()),
    "nanodet_m_416.onnx": ([], set()),
    "fastestdet_352.onnx": ([], set()),
    "ultraface_rfb_320.onnx": ([], set()),
    "deeplabv3_mnv2_dm05_513.onnx": ([], set()),
}


class CudaModels(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        found = next(d for d in call_json("devices")["devices"] if d["name"] == "cuda")
        if "kernels compile with" not in found["description"]:
            raise unittest.SkipTest("there is no NVRTC: %s" % found["description"])

    def check(self, folder, models):
        with tempfile.TemporaryDirectory() as made:
            engine = os.path.join(made, "model.engine")
            for name, (words, on_host) in models.items():
                with self.subTest(model=name):
                    path = os.path.join(folder, name)
                    if not os.path.exists(path):
                        self.skipTest("%s is not there" % path)
                    call("build", path, "-o", engine, "--target", TARGET, "--gpu-fallback", "--fp16", "--no-timing",
                         *words)
                    layers = [layer for layer in call_json("inspect", engine)["layers"] if layer["kind"] == "layer"]
                    on_gpu = [layer for layer in layers if layer["device"] == "cuda"]
                    self.assertGreater(len(on_gpu), 10)
                    self.assertTrue(all(layer["tactic"] for layer in on_gpu))
                    left = {op for layer in layers if layer["device"] != "cuda" for op in layer["ops"]}
                    self.assertEqual(left, on_host)

    def test_models_of_pypis_packages(self):
        self.check(MODELS, WHEELS)

    def test_models_of_the_larger_collection(self):
        if not os.path.isdir(os.path.join(DATA, "models")):
            self.skipTest("FERRY_TEST_DATA has no models")
        self.check(os.path.join(DATA, "models"), COLLECTION)


if __name__ == "__main__":
    unittest.main()
