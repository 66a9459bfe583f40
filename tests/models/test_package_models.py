# SPDX-License-Identifier: Apache-2.0
"""Real trained models that PyPI's packages carry: FP32 against PyTorch and ONNX Runtime, INT8 against FP32."""
import glob
import os
import sys
import tempfile
import unittest

import numpy

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from ferry_python import SOURCE, call, call_json, model_path, relative_l2, run_tensors  # noqa: E402

# FP32 is the same arithmetic in another order; more would mean that a layer computes something else.
MOST_ERROR = 1e-4
PREPROCESS = ("--task classify --size 224x224 --resize crop --resize-shorter 256 --filter bicubic --mean 127,127,127 "
              "--std 128,128,128").split()
LABELS = os.path.join(SOURCE, "examples", "labels", "imagenet.txt")


def pictures(kind):
    return sorted(glob.glob(os.path.join(SOURCE, "examples", "pictures", kind, "*.jpg")))


class EfficientNetLite0(unittest.TestCase):
    """Exported from PyTorch by tools/demo, with the inputs and logits that PyTorch itself gave."""

    @classmethod
    def setUpClass(cls):
        cls.model = model_path("efficientnet_lite0.onnx")
        cls.reference = sorted(glob.glob(os.path.join(model_path("efficientnet_lite0"), "*.image.npy")))
        cls.folder = tempfile.TemporaryDirectory()
        cls.fp32 = os.path.join(cls.folder.name, "fp32.engine")
        cls.int8 = os.path.join(cls.folder.name, "int8.engine")
        common = ["build", cls.model, "--device", "cpu", "--labels", LABELS] + PREPROCESS
        call(*common, "-o", cls.fp32)
        call(*common, "-o", cls.int8, "--int8", "--calib", os.path.join(SOURCE, "examples", "pictures", "calibrate"),
             "--calib-count", len(pictures("calibrate")), "--calib-seed", 1)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_fp32__computes_what_pytorch_computes(self):
        self.assertGreaterEqual(len(self.reference), 6)
        for image in self.reference:
            got = run_tensors(self.fp32, {"image": numpy.load(image)})["logits"]
            self.assertLessEqual(relative_l2(got, numpy.load(image.replace(".image.", ".logits."))), MOST_ERROR, image)

    def test_fp32__prepares_pictures_like_pillow(self):
        # One grey level of difference in the input moves a probability a little, so the first class and its score tell.
        for picture in pictures("run"):
            name = os.path.splitext(os.path.basename(picture))[0]
            logits = numpy.load(os.path.join(model_path("efficientnet_lite0"), name + ".logits.npy"))[0]
            odds = numpy.exp(logits - logits.max())
            odds /= odds.sum()
            best = call_json("run", self.fp32, picture)["results"][0]["classes"][0]
            self.assertEqual(best["class"], int(odds.argmax()), picture)
            self.assertAlmostEqual(best["score"], float(odds.max()), delta=0.02, msg=picture)

    def test_int8__mostly_agrees_with_fp32(self):
        agree = 0
        for picture in pictures("run"):
            a = call_json("run", self.fp32, picture)["results"][0]["classes"][0]["class"]
            b = call_json("run", self.int8, picture)["results"][0]["classes"][0]["class"]
            agree += a == b
        self.assertGreaterEqual(agree, len(pictures("run")) - 1)

    def test_int8__is_really_integers(self):
        self.assertLess(os.path.getsize(self.int8), 0.6 * os.path.getsize(self.fp32))
        got = run_tensors(self.int8, {"image": numpy.load(self.reference[0])})["logits"]
        want = run_tensors(self.fp32, {"image": numpy.load(self.reference[0])})["logits"]
        self.assertGreater(relative_l2(got, want), 1e-3, "no trace of rounding to INT8")
        self.assertLess(relative_l2(got, want), 0.6)


class ReadingText(unittest.TestCase):
    """The three networks inside rapidocr-onnxruntime, of which two have sizes that are known only when they run."""

    def compare(self, name, shape, picture):
        import onnxruntime

        model = model_path(name)
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        source = session.get_inputs()[0].name
        x = self.input_of(picture, shape)
        with tempfile.TemporaryDirectory() as folder:
            engine = os.path.join(folder, "engine")
            call("build", model, "-o", engine, "--device", "cpu", "--shape",
                 "%s=%s" % (source, "x".join(map(str, shape))))
            got = run_tensors(engine, {source: x})
        for output, want in zip(session.get_outputs(), session.run(None, {source: x})):
            self.assertGreater(numpy.abs(want).max(), 0.1, "an output of nothing compares nothing")
            self.assertLessEqual(relative_l2(got[output.name], want), MOST_ERROR, output.name)

    @staticmethod
    def input_of(path, shape):
        from PIL import Image

        picture = Image.open(path).convert("RGB").resize((shape[3], shape[2]), Image.BILINEAR)
        values = (numpy.asarray(picture, numpy.float32) / 255 - 0.5) / 0.5
        one = values[:, :, ::-1].transpose(2, 0, 1)
        # Each picture of a batch is another one: a mixed-up batch would show.
        return numpy.ascontiguousarray(numpy.stack([one if i % 2 == 0 else one[:, ::-1] for i in range(shape[0])]))

    def test_finding_lines__equals_onnx_runtime(self):
        self.compare("ch_PP-OCRv4_det_infer.onnx", (1, 3, 320, 320), pictures("run")[1])

    def test_telling_direction__equals_onnx_runtime(self):
        self.compare("ch_ppocr_mobile_v2.0_cls_infer.onnx", (2, 3, 48, 192), pictures("run")[0])

    def test_reading_lines__equals_onnx_runtime(self):
        self.compare("ch_PP-OCRv4_rec_infer.onnx", (1, 3, 48, 160), pictures("run")[2])


if __name__ == "__main__":
    unittest.main()
