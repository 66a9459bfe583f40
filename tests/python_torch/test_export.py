# SPDX-License-Identifier: Apache-2.0
"""ferry.torch.export: every way to say the inputs, both exporters, modes, files, and what must fail."""
import os
import subprocess
import sys
import tempfile
import unittest

import torch_case

torch_case.ensure_torch(os.path.abspath(__file__))

import nets  # noqa: E402
import python_case  # noqa: E402
import torch  # noqa: E402

import ferry  # noqa: E402
import ferry.torch  # noqa: E402
from ferry.torch import _exporters  # noqa: E402

EXPORTERS = [e for e in ("trace", "dynamo") if _exporters.why_not(e) is None]


class Export(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = os.path.join(self.folder.name, "m.onnx")

    def left_behind(self):
        return [name for name in os.listdir(self.folder.name) if name != "m.onnx"]

    def test_a_plain_model_by_each_exporter(self):
        for exporter in EXPORTERS:
            with self.subTest(exporter):
                report = ferry.torch.export(nets.seeded(nets.Plain), torch.zeros(1, 3, 32, 32), self.path,
                                            exporter=exporter)
                self.assertEqual((report.exporter, report.inputs, report.outputs), (exporter, ["image"], ["output"]))
                self.assertTrue(report.comparison.passed)
                # Zeros would compare one pixel a channel: noise took their place, so the outputs differ from bias.
                self.assertGreater(report.comparison.differences[0].largest, 0.01)
                self.assertLess(report.comparison.differences[0].relative_l2, 1e-5)
                self.assertLessEqual(report.opset, ferry.Network().opset)
                self.assertIn("m.onnx: opset %d by exporter '%s'" % (report.opset, exporter), str(report))
                self.assertEqual(self.left_behind(), [])
                self.assertEqual([b.name for b in ferry.Network.load(self.path).bindings], ["image", "output"])

    def test_nested_outputs_and_an_open_batch(self):
        for exporter in EXPORTERS:
            with self.subTest(exporter):
                report = ferry.torch.export(nets.seeded(nets.Nested), torch.zeros(1, 3, 16, 16), self.path,
                                            dynamic_axes=True, exporter=exporter)
                self.assertEqual(report.outputs, ["logits", "more_features", "more_label"])
                self.assertEqual([d.output for d in report.comparison.differences],
                                 ["logits", "more_features", "more_label", "logits with a larger batch",
                                  "more_features with a larger batch", "more_label with a larger batch"])
                tensor = ferry.Network.load(self.path).inputs[0]
                self.assertEqual((tensor.shape, tensor.dim_names[0]), ((-1, 3, 16, 16), "batch"))

    def test_arguments_by_name_nested_and_constant(self):
        torch.manual_seed(1)
        example = {"a": torch.randn(2, 4), "rest": {"b": torch.randn(2, 3), "offset": torch.randn(6)}, "gain": 3.0}
        for exporter in EXPORTERS:
            with self.subTest(exporter):
                report = ferry.torch.export(nets.seeded(nets.TwoInputs), example, self.path, exporter=exporter,
                                            output_names=["sum", "side"])
                self.assertEqual((report.inputs, report.outputs), (["a", "rest_b", "rest_offset"], ["sum", "side"]))

    def test_axes_as_torch_takes_them(self):
        report = ferry.torch.export(nets.seeded(nets.Plain), torch.randn(1, 3, 32, 32), self.path,
                                    input_names=["picture"], output_names=["scores"],
                                    dynamic_axes={"picture": {0: "n", 2: "h", 3: "w"}, "scores": {0: "n"}})
        self.assertEqual(ferry.Network.load(self.path).inputs[0].dim_names, ("n", None, "h", "w"))
        self.assertEqual(report.inputs, ["picture"])

    def test_each_module_keeps_its_mode_and_the_example_its_values(self):
        model = nets.seeded(nets.Nested).train()
        model.norm.eval()
        example, statistics = torch.ones(2, 3, 16, 16), model.norm.running_mean.clone()
        for exporter in EXPORTERS:
            ferry.torch.export(model, example, self.path, exporter=exporter)
            self.assertEqual([m.training for m in (model, model.conv, model.norm, model.head)],
                             [True, True, False, True])
        self.assertTrue(torch.equal(model.norm.running_mean, statistics))
        self.assertTrue(torch.equal(example, torch.ones(2, 3, 16, 16)))
        with self.assertRaises(ferry.UnsupportedError):
            ferry.torch.export(model, (example, object()), self.path)
        self.assertTrue(model.training)

    def test_a_scripted_model(self):
        scripted = torch.jit.script(nets.seeded(nets.Plain).eval())
        report = ferry.torch.export(scripted, torch.randn(1, 3, 16, 16), self.path, exporter="trace")
        self.assertTrue(report.comparison.passed)

    def test_attention_that_torch_would_fuse(self):
        for exporter in EXPORTERS:
            with self.subTest(exporter):
                report = ferry.torch.export(nets.seeded(nets.Attention), torch.randn(1, 5, 16), self.path,
                                            exporter=exporter)
                self.assertTrue(report.comparison.passed)

    def test_outputs_that_differ_from_torch_are_refused(self):
        for exporter in EXPORTERS:
            with self.subTest(exporter), self.assertRaises(ferry.torch.MismatchError) as caught:
                ferry.torch.export(nets.Off(), torch.ones(2, 3), self.path, exporter=exporter)
            self.assertIn("output: largest difference", str(caught.exception))
            self.assertIn("was not written", str(caught.exception))
            self.assertEqual(os.listdir(self.folder.name), [])
        report = ferry.torch.export(nets.Off(), torch.ones(2, 3), self.path, rtol=0.1)
        self.assertTrue(0.04 < report.comparison.differences[0].relative_l2 < 0.06)
        self.assertIsNone(ferry.torch.export(nets.Off(), torch.ones(2, 3), self.path, check=False).comparison)

    def test_a_batch_that_tracing_bakes_in_is_found(self):
        with self.assertRaises(ferry.Error) as caught:
            ferry.torch.export(nets.BakedBatch(), torch.randn(2, 3), self.path, dynamic_axes=True, exporter="trace")
        self.assertEqual(os.listdir(self.folder.name), [], caught.exception)

    def test_what_no_exporter_takes_says_what_each_said(self):
        with self.assertRaises(ferry.torch.ExportError) as caught:
            ferry.torch.export(nets.Unknown(), torch.randn(3), self.path)
        self.assertEqual({a.exporter for a in caught.exception.attempts}, set(EXPORTERS))
        self.assertIn("i0", str(caught.exception))
        self.assertEqual(os.listdir(self.folder.name), [])

    def test_mistakes_are_named(self):
        model, x = nets.seeded(nets.Plain), torch.randn(1, 3, 16, 16)
        for error, words, options in (
                (ferry.InvalidArgumentError, "dynamic_axes names 'picture'", {"dynamic_axes": {"picture": [0]}}),
                (ferry.InvalidArgumentError, "has 4 dimensions and no axis 4", {"dynamic_axes": {"image": [4]}}),
                (ferry.InvalidArgumentError, "input_names has 2 names for 1 tensors", {"input_names": ["a", "b"]}),
                (ferry.InvalidArgumentError, "exporter 'magic'", {"exporter": "magic"}),
                (TypeError, "dynamic_axes is True or", {"dynamic_axes": 3})):
            with self.subTest(words), self.assertRaises(error) as caught:
                ferry.torch.export(model, x, self.path, **options)
            self.assertIn(words, str(caught.exception))
        with self.assertRaises(TypeError):
            ferry.torch.export(lambda image: image, x, self.path)
        with self.assertRaises(ferry.InvalidArgumentError):
            ferry.torch.export(model, {"image": 3}, self.path)
        if "dynamo" not in EXPORTERS:
            with self.assertRaises(ferry.UnavailableError):
                ferry.torch.export(model, x, self.path, exporter="dynamo")

    def test_ferry_alone_does_not_import_torch(self):
        code = "import sys, ferry; sys.exit('torch' in sys.modules)"
        self.assertEqual(subprocess.call([sys.executable, "-c", code], env=python_case.environment()), 0)


if __name__ == "__main__":
    unittest.main()
