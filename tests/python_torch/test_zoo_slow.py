# SPDX-License-Identifier: Apache-2.0
"""torchvision's, timm's and Ultralytics' models go through ferry.torch under the newest torch that PyPI has.

Makes out/torch/venv (0.8 GB to download, 2 GB on the disk; cpu_torch.py says why so little), where it is not there."""
import os
import subprocess
import sys
import tempfile
import unittest

import other_python

VENV = os.path.dirname(os.path.dirname(other_python.venv("torch")))
HERE = os.path.dirname(os.path.abspath(__file__))


def _packages():
    """zoo.PACKAGES, without importing torch, which this Python need not have."""
    with open(os.path.join(HERE, "zoo.py")) as file:
        text = file.read()
    table = {}
    exec(text[text.index("PACKAGES = "):text.index("GOES = ")], table)
    return sorted({package for packages in table["PACKAGES"].values() for package in packages})


if "FERRY_TORCH_PYTHON" not in os.environ:
    made = subprocess.run([sys.executable, os.path.join(HERE, "cpu_torch.py"), VENV] + _packages(),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if made.returncode:
        raise unittest.SkipTest("PyPI gave no torch: %s" % made.stdout.decode("utf-8", "replace")[-300:])
    os.environ["FERRY_TORCH_PYTHON"] = os.path.join(VENV, "bin", "python")

import torch_case  # noqa: E402

torch_case.ensure_torch(os.path.abspath(__file__))

import torch  # noqa: E402
import zoo  # noqa: E402

import ferry  # noqa: E402
import ferry.torch  # noqa: E402

# Ultralytics writes settings, and would install what it misses.
_settings = tempfile.TemporaryDirectory()
os.environ.update(YOLO_CONFIG_DIR=_settings.name, YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false")


class Zoo(unittest.TestCase):
    """One case a model; made below."""

    def export(self, package, name, size, exporter):
        model = zoo.make(package, name)
        with tempfile.TemporaryDirectory() as folder:
            return ferry.torch.export(model, zoo.example(package, size), os.path.join(folder, "m.onnx"),
                                      exporter=exporter)

    def goes(self, *case):
        report = self.export(*case)
        worst = max(d.relative_l2 for d in report.comparison.differences)
        self.assertLess(worst, 1e-4, str(report))
        self.assertTrue(any(d.largest > 1e-4 for d in report.comparison.differences), str(report))

    def refused(self, *case):
        with self.assertRaises(ferry.torch.ExportError) as caught:
            self.export(*case[:-1])
        self.assertIn(case[-1], str(caught.exception))


def _add(kind, case):
    def test(self):
        getattr(self, kind)(*case)

    name = "test_%s_%s_%s" % (case[0].replace(".", "_"), case[1].replace(".yaml", ""), case[3])
    setattr(Zoo, name + ("" if kind == "goes" else "_is_refused"), test)


for _case in zoo.GOES:
    _add("goes", _case)
for _case in zoo.REFUSED:
    _add("refused", _case)


class Compile(unittest.TestCase):
    def test_a_detector_with_nested_outputs_and_several_shapes(self):
        model = zoo.make("ultralytics", "yolov8n.yaml")
        fast = ferry.torch.compile(model, torch.rand(1, 3, 64, 64), min_shape={"x": (1, 3, 64, 64)},
                                   max_shape={"x": (2, 3, 64, 64)})
        for batch in (1, 2):
            x = torch.rand(batch, 3, 64, 64)
            with torch.no_grad():
                want = model.eval()(x)
            comparison = ferry.torch.compare(fast(x), want)
            self.assertTrue(comparison.passed, str(comparison))

    def test_a_classifier_in_int8(self):
        model = zoo.make("torchvision", "resnet18")
        data = torch.randn(32, 3, 64, 64)
        fast = ferry.torch.compile(model, data[:1], int8=True, calib=torch.utils.data.DataLoader(data, batch_size=8))
        with torch.no_grad():
            want = model.eval()(data[:1])
        error = ferry.torch.compare(fast(data[:1]), want).differences[0].relative_l2
        self.assertTrue(1e-4 < error < 0.2, error)


def load_tests(loader, _tests, _pattern):
    """The other tests of ferry.torch too, under this torch and its newer exporter."""
    suite = unittest.TestSuite([loader.loadTestsFromTestCase(case) for case in (Zoo, Compile)])
    for name in ("test_export", "test_weights", "test_compile"):
        suite.addTests(loader.loadTestsFromName(name))
    return suite


if __name__ == "__main__":
    unittest.main()
