# SPDX-License-Identifier: Apache-2.0
"""Three scripts in the style of TensorRT 8, run without an edit on a real model, against ONNX Runtime."""
import glob
import os
import re
import shutil
import sys
import tempfile
import unittest

import compat_case
from compat_case import PICTURES, SCRIPTS, ferry, np, python_case, run_script, trt

sys.path.insert(0, SCRIPTS)
import common  # noqa: E402  (the scripts' own; its pictures are what the reference is computed on)

LABELS = os.path.join(python_case.SOURCE, "examples", "labels", "imagenet.txt")


class Scripts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = python_case.model_path("efficientnet_lite0.onnx")
        cls.run_pictures = sorted(glob.glob(os.path.join(PICTURES, "run", "*.jpg")))
        if not cls.run_pictures:
            raise unittest.SkipTest("%s holds no pictures" % PICTURES)
        cls.cat = next(p for p in cls.run_pictures if p.endswith("cat.jpg"))
        cls.folder = tempfile.mkdtemp()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def reference(self, picture):
        feed = {"image": common.load_picture(picture)[np.newaxis]}
        return compat_case.onnxruntime_outputs(self.model, feed)[0]

    def script(self, name, *words, status=0):
        return run_script(os.path.join(SCRIPTS, name), *words, status=status)

    def calibrated_directly(self):
        """The same samples and algorithm without device pointers in between: to the bit the same engine."""
        pictures = sorted(glob.glob(os.path.join(PICTURES, "calibrate", "*.jpg")))
        samples = [common.load_picture(p)[np.newaxis] for p in pictures]
        engine = ferry.Builder().build(ferry.Network.load(self.model), int8=True, progress=False,
                                       calibration=ferry.Calibration(samples, algorithm="entropy2"))
        return engine.create_context().run(common.load_picture(self.cat)[np.newaxis])["logits"]

    def test_int8_calibrated_on_a_folder_of_pictures(self):
        cache = self.path("pictures.cache")
        words = [self.model, os.path.join(PICTURES, "calibrate"), self.path("int8.trt"), "--cache", cache, "--check",
                 self.cat, self.path("int8.npy")]
        out, err = self.script("build_int8.py", *words)
        self.assertEqual(out.count("Calibrating batch"), 3)
        with open(cache) as file:
            self.assertEqual(file.readline(), "TRT-8601-EntropyCalibration2\n")
        expected, found = self.reference(self.cat), np.load(self.path("int8.npy"))
        self.assertEqual(found.shape, expected.shape)
        self.assertEqual(found.argmax(), expected.argmax())
        cosine = (found * expected).sum() / np.sqrt((found ** 2).sum() * (expected ** 2).sum())
        self.assertGreater(cosine, 0.94)  # 12 pictures are few for an algorithm that clips
        np.testing.assert_array_equal(found, self.calibrated_directly())
        self.assertGreater(np.abs(found - expected).max(), 0.01, "this is no INT8")
        self.assertIn("DeprecationWarning: IBuilderConfig.max_workspace_size", err)

        # A second build reads the cache, asks for no batch, and gives the same numbers.
        out, _err = self.script("build_int8.py", *(words[:-1] + [self.path("again.npy")]))
        self.assertNotIn("Calibrating batch", out)
        np.testing.assert_array_equal(np.load(self.path("again.npy")), found)

    def test_fp16_with_a_dla_that_is_not_there(self):
        words = [self.model, self.path("fp16.trt"), "--check", self.cat, self.path("fp16.npy")]
        out, _err = self.script("build_fp16.py", *words)
        self.assertIn("[TRT] [W] FP16", out)
        expected, found = self.reference(self.cat), np.load(self.path("fp16.npy"))
        np.testing.assert_allclose(found, expected, atol=0.1)
        self.assertGreater(np.abs(found - expected).max(), 1e-4, "this is no FP16")

        out, _err = self.script("build_fp16.py", *(words + ["--dla_core", "0", "--gpu_fallback"]))
        self.assertIn("Using DLA core 0 of 0.", out)
        self.assertRegex(out, r"\[TRT\] \[W\] .*no DLA core; GPU_FALLBACK is set")
        # Each build times its tactics, and they round halves at different places.
        np.testing.assert_allclose(np.load(self.path("fp16.npy")), found, atol=0.03)

        out, _err = self.script("build_fp16.py", *(words + ["--dla_core", "0"]), status=1)
        self.assertRegex(out, r"\[TRT\] \[E\] .*this machine has no DLA core: set BuilderFlag.GPU_FALLBACK")
        self.assertIn("Failed to build the engine!", out)

    def test_asynchronous_runs_in_threads_with_pinned_memory_and_drawn_labels(self):
        log = compat_case.Listener()
        builder = trt.Builder(log)
        network = builder.create_network(compat_case.EXPLICIT)
        self.assertTrue(trt.OnnxParser(network, log).parse_from_file(self.model))
        plan = builder.build_serialized_network(network, builder.create_builder_config())
        with open(self.path("fp32.trt"), "wb") as file:
            file.write(plan)
        target = self.path("drawn")
        os.mkdir(target)
        out, _err = self.script("infer_async.py", self.path("fp32.trt"), LABELS, target, *self.run_pictures)
        self.assertRegex(out, r"cat: (tabby|tiger cat|Egyptian cat)")
        for picture in self.run_pictures:
            name = os.path.join(target, os.path.splitext(os.path.basename(picture))[0])
            np.testing.assert_allclose(np.load(name + ".npy"), self.reference(picture).ravel(), atol=1e-3)
            self.assertDrawnUpon(picture, name + ".png")

    def assertDrawnUpon(self, picture, drawn):
        from PIL import Image
        before, after = (np.asarray(Image.open(p).convert("RGB")) for p in (picture, drawn))
        self.assertEqual(after[1, 1].tolist(), [255, 255, 0])
        np.testing.assert_array_equal(after[-8:], before[-8:])

    def test_a_missing_script_and_missing_arguments_are_said(self):
        _out, err = run_script(self.path("nothing.py"), status=2)
        self.assertIn("no script", err)
        _out, err = self.script("build_int8.py", status=2)
        self.assertIn("usage: ", err)

    def test_exceptions_of_a_script_keep_their_traceback(self):
        script = self.path("raises.py")
        with open(script, "w") as file:
            file.write("import sys, tensorrt\nassert sys.argv[1:] == ['a', 'b'], sys.argv\nraise KeyError('of mine')\n")
        _out, err = run_script(script, "a", "b", status=1)
        self.assertTrue(re.search(r'raises.py", line 3.*\n.*\n.*KeyError: .of mine.', err), err)


if __name__ == "__main__":
    unittest.main()
