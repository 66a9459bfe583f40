# SPDX-License-Identifier: Apache-2.0
"""ferry.torch.load_weights: what fits, what does not, and what the report says of it."""
import os
import tempfile
import unittest

import torch_case

torch_case.ensure_torch(os.path.abspath(__file__))

import nets  # noqa: E402
import torch  # noqa: E402

import ferry  # noqa: E402
import ferry.torch  # noqa: E402


class Weights(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "w.pt")
        torch.manual_seed(5)
        self.state = {name: value + 1 for name, value in nets.Plain().state_dict().items()}
        self.model = nets.seeded(nets.Plain)
        self.before = {name: value.clone() for name, value in self.model.state_dict().items()}

    def loaded(self):
        return [n for n, v in self.model.state_dict().items() if not torch.equal(v, self.before[n])]

    def test_a_file_that_fits(self):
        torch.save(self.state, self.path)
        report = ferry.torch.load_weights(self.model, self.path)
        self.assertTrue(report.fits)
        self.assertEqual(len(report.loaded), len(self.before))
        self.assertEqual(self.loaded(), list(self.before))
        self.assertIn("8 of 8 tensors of the model loaded" if len(self.before) == 8 else "tensors", str(report))

    def test_checkpoints_and_prefixes_are_looked_through(self):
        wrapped = {"epoch": 3, "state_dict": {"module._orig_mod." + n: v for n, v in self.state.items()}}
        report = ferry.torch.load_weights(self.model, wrapped)
        self.assertEqual((report.within, report.prefix, report.fits), ("state_dict", "module._orig_mod.", True))
        self.assertIn("from 'state_dict', 'module._orig_mod.' cut off the names", str(report))
        self.assertEqual(self.loaded(), list(self.before))

    def test_what_does_not_fit_is_named_and_nothing_is_loaded(self):
        del self.state["conv.bias"]
        self.state["head.weight"] = torch.zeros(7, 8)
        self.state["tail.weight"] = torch.zeros(1)
        with self.assertRaises(ferry.torch.WeightsError) as caught:
            ferry.torch.load_weights(self.model, self.state)
        report, text = caught.exception.report, str(caught.exception)
        self.assertEqual(report.missing, ["conv.bias"])
        self.assertEqual(report.unexpected, ["tail.weight"])
        self.assertEqual(report.mismatched, [("head.weight", (5, 8), (7, 8))])
        self.assertIn("missing (in the model, not in the file): 1\n    conv.bias", text)
        self.assertIn("unexpected (in the file, not in the model): 1\n    tail.weight", text)
        self.assertIn("head.weight: [5, 8] in the model, [7, 8] in the file", text)
        self.assertEqual(self.loaded(), [])

    def test_without_strict_the_rest_is_loaded_and_told(self):
        del self.state["conv.bias"]
        self.state["head.weight"] = torch.zeros(7, 8)
        report = ferry.torch.load_weights(self.model, self.state, strict=False)
        self.assertFalse(report.fits)
        self.assertEqual(set(self.before) - set(self.loaded()), {"conv.bias", "head.weight"})

    def test_counters_of_old_files_do_not_matter(self):
        del self.state["norm.num_batches_tracked"]
        report = ferry.torch.load_weights(self.model, self.state)
        self.assertTrue(report.fits)
        self.assertEqual(report.counters, ["norm.num_batches_tracked"])

    def test_weights_of_another_model_are_refused_even_without_strict(self):
        with self.assertRaises(ferry.torch.WeightsError):
            ferry.torch.load_weights(self.model, {"a": torch.zeros(1)}, strict=False)

    def test_files_that_are_none(self):
        with self.assertRaises(ferry.FileError):
            ferry.torch.load_weights(self.model, self.path)
        torch.save(self.model, self.path)  # a pickle with code in it
        with self.assertRaises(ferry.UnsupportedError) as caught:
            ferry.torch.load_weights(self.model, self.path)
        self.assertIn("not a file of weights alone", str(caught.exception))
        with self.assertRaises(ferry.InvalidArgumentError):
            ferry.torch.load_weights(self.model, {"epoch": 3})
        with self.assertRaises(TypeError):
            ferry.torch.load_weights(self.model, 3)

    def test_export_loads_them_first(self):
        torch.save(self.state, self.path)
        target = self.path + ".onnx"
        report = ferry.torch.export(self.model, torch.randn(1, 3, 16, 16), target, weights=self.path)
        self.assertIn("w.pt: ", str(report))
        other = nets.Plain()
        other.load_state_dict(self.state)
        x = torch.randn(1, 3, 16, 16)
        with torch.no_grad():
            self.assertTrue(torch.allclose(torch.from_numpy(ferry.build(target)(x.numpy())["output"]),
                                           other.eval()(x), atol=1e-4))


if __name__ == "__main__":
    unittest.main()
