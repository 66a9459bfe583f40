# SPDX-License-Identifier: Apache-2.0
"""ferry.torch.compile: the module's numbers, nests, shapes, memory, precisions, and its ways to and from files."""
import copy
import io
import os
import pickle
import tempfile
import threading
import unittest
import warnings

import torch_case

torch_case.ensure_torch(os.path.abspath(__file__))

import nets  # noqa: E402
import numpy  # noqa: E402
import torch  # noqa: E402

import ferry  # noqa: E402
import ferry.torch  # noqa: E402
from ferry.torch._tensors import array_of, tensor_of  # noqa: E402

PROFILE = {"min_shape": {"image": (1, 3, 16, 16)}, "opt_shape": {"image": (2, 3, 16, 16)},
           "max_shape": {"image": (4, 3, 16, 16)}}


def pictures(count, seed=1):
    torch.manual_seed(seed)
    return torch.rand(count, 3, 16, 16)


def near(test, got, want, rtol=1e-4):
    comparison = ferry.torch.compare(got, want, rtol=rtol)
    test.assertTrue(comparison.passed, str(comparison))


def run(model, *args, **kwargs):
    with torch.no_grad():
        return model.eval()(*args, **kwargs)


class Compiled(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = nets.seeded(nets.Plain)
        cls.fast = ferry.torch.compile(cls.model, pictures(1))
        cls.nested = nets.seeded(nets.Nested)
        cls.fast_nested = ferry.torch.compile(cls.nested, pictures(1), **PROFILE)

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "m.engine")

    # --- Numbers and nests -------------------------------------------------------------------------------------------

    def test_it_computes_what_the_model_computes(self):
        for seed in range(3):
            near(self, self.fast(pictures(1, seed)), run(self.model, pictures(1, seed)))

    def test_nested_outputs_keep_types_names_and_constants(self):
        got = self.fast_nested(pictures(2))
        self.assertEqual(list(got), ["logits", "more", "classes", "none"])
        self.assertIs(type(got["more"]), nets.Pair)
        self.assertEqual((got["classes"], got["none"], got["more"].label.dtype), (5, None, torch.int64))
        near(self, got, run(self.nested, pictures(2)))

    def test_shapes_of_the_profile(self):
        for count in (1, 4, 2, 3):
            near(self, self.fast_nested(pictures(count)), run(self.nested, pictures(count)))
        with self.assertRaises(ferry.InvalidArgumentError) as caught:
            self.fast_nested(pictures(5))
        self.assertIn("1 to 4", str(caught.exception))

    def test_arguments_by_name_by_position_and_nested(self):
        torch.manual_seed(3)
        a, rest = torch.randn(2, 4), {"b": torch.randn(2, 3), "offset": torch.randn(6)}
        model = nets.seeded(nets.TwoInputs)
        fast = ferry.torch.compile(model, (a, rest, 2.0))
        want = run(model, a, rest, 2.0)
        for got in (fast(a, rest, 2.0), fast(a, rest, gain=2.0), fast(rest=rest, gain=2.0, a=a)):
            self.assertIsInstance(got, tuple)
            near(self, got, want)
        for args, kwargs in (((a, rest), {}), ((a, rest, 3.0), {}), ((a, {"b": a}, 2.0), {}), ((), {"gain": 2.0})):
            with self.assertRaises(ferry.InvalidArgumentError) as caught:
                fast(*args, **kwargs)
            self.assertIn("was compiled for arguments (tensor, {'b': tensor, 'offset': tensor}, 2.0)",
                          str(caught.exception))

    def test_another_type_is_refused_with_the_way_out(self):
        with self.assertRaises(ferry.InvalidArgumentError) as caught:
            self.fast(pictures(1).double())
        self.assertIn("input 'image' is torch.float32, and the tensor torch.float64: convert it, with "
                      "x.to(torch.float32)", str(caught.exception))

    # --- Memory ------------------------------------------------------------------------------------------------------

    def test_no_element_is_copied_on_the_way_in_or_out(self):
        x, seen = pictures(1), {}
        real = self.fast.context

        class Spy:
            def run(self, *arrays):
                seen["in"] = arrays[0].__array_interface__["data"][0]
                outputs = real.run(*arrays)
                seen["out"] = outputs["output"].__array_interface__["data"][0]
                return outputs

        self.fast.context = Spy()
        try:
            y = self.fast(x)
        finally:
            self.fast.context = real
        self.assertEqual((seen["in"], seen["out"]), (x.data_ptr(), y.data_ptr()))

    def test_every_type_goes_over_without_a_copy(self):
        names = ["float32", "float16", "bfloat16", "float64", "int8", "uint8", "int16", "int32", "int64", "bool"]
        for name in names + [n for n in ("uint16", "uint32", "uint64") if hasattr(torch, n)]:
            tensor = torch.arange(6).reshape(2, 3).to(getattr(torch, name))
            array = array_of(tensor)
            back = tensor_of(array, ferry.DataType.of(array.dtype) if name != "bfloat16" else ferry.DataType.BF16)
            self.assertEqual(array.__array_interface__["data"][0], tensor.data_ptr(), name)
            self.assertEqual((back.data_ptr(), back.dtype), (tensor.data_ptr(), tensor.dtype), name)
        self.assertEqual(array_of(torch.tensor(2.0, dtype=torch.bfloat16)).shape, ())

    def test_a_tensor_that_is_not_contiguous_is_copied_and_that_is_said_once(self):
        fast, x = copy.deepcopy(self.fast), pictures(1).permute(0, 1, 3, 2)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            near(self, fast(x), run(self.model, x))
            fast(x)
        self.assertEqual([w.category for w in told], [ferry.CopyWarning])
        self.assertIn("not contiguous", str(told[0].message))

    def test_outputs_live_longer_than_the_module(self):
        fast = copy.deepcopy(self.fast)
        x = pictures(1)
        first = fast(x)
        kept = first.clone()
        fast(pictures(1, 9))
        del fast
        self.assertTrue(torch.equal(first, kept))

    @unittest.skipUnless(torch.cuda.is_available(), "no CUDA device")
    def test_tensors_of_another_device_are_copied_and_that_is_said(self):
        fast = copy.deepcopy(self.fast_nested)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            got = fast(pictures(2).cuda())
        self.assertEqual([w.category for w in told], [ferry.CopyWarning])
        self.assertEqual(got["logits"].device.type, "cuda")
        near(self, got, run(self.nested, pictures(2)))
        model = copy.deepcopy(self.model).cuda()
        report = ferry.torch.export(model, pictures(1).cuda(), self.path + ".onnx")
        self.assertTrue(report.comparison.passed)
        near(self, ferry.torch.compile(model, pictures(1).cuda())(pictures(1)), run(self.model, pictures(1)))

    def test_threads_share_a_module(self):
        wants = [run(self.model, pictures(1, seed)) for seed in range(4)]
        failures = []

        def work(seed):
            try:
                for _ in range(50):
                    near(self, self.fast(pictures_of[seed]), wants[seed])
            except BaseException as failure:
                failures.append(failure)

        pictures_of = [pictures(1, seed) for seed in range(4)]
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    # --- Keeping it --------------------------------------------------------------------------------------------------

    def test_save_and_load(self):
        self.fast_nested.save(self.path)
        got, want = ferry.torch.load(self.path)(pictures(3)), self.fast_nested(pictures(3))
        self.assertEqual(type(got["more"]).__name__, "Pair")
        self.assertTrue(ferry.torch.compare(got, want, rtol=0, atol=0).passed)
        with open(self.path, "rb") as file:
            near(self, ferry.torch.load(file.read())(pictures(1)), self.fast_nested(pictures(1)))
        outputs = ferry.load(self.path)(pictures(1).numpy())  # an engine like any other
        near(self, torch.from_numpy(outputs["logits"]), self.fast_nested(pictures(1))["logits"])

    def test_an_engine_that_was_not_compiled_from_torch(self):
        onnx = self.path + ".onnx"
        ferry.torch.export(self.nested, pictures(1), onnx)
        loaded = ferry.torch.load(ferry.build(onnx).engine)
        self.assertEqual([tuple(t.shape) for t in loaded(pictures(1))], [(1, 5), (1, 8), (1,)])

    def test_a_damaged_note_is_refused(self):
        engine = ferry.Engine.deserialize(self.fast_nested.engine.serialize())
        for note in ("{", "[]", '{"inputs": 3}', engine.metadata("ferry.torch").replace("logits", "logit"),
                     engine.metadata("ferry.torch").replace('"tensor"', '{"import": "os"}', 1)):
            engine.set_text("metadata:ferry.torch", note)
            with self.assertRaises(ferry.BadEngineError):
                ferry.torch.load(engine)

    def test_pickle_copy_and_state_dict(self):
        want = self.fast_nested(pictures(2))
        buffer = io.BytesIO()
        torch.save(self.fast_nested.state_dict(), buffer)
        buffer.seek(0)
        by_state = ferry.torch.CompiledModule()
        with self.assertRaises(ferry.InvalidArgumentError):
            by_state(pictures(2))
        by_state.load_state_dict(torch.load(buffer))
        for other in (pickle.loads(pickle.dumps(self.fast_nested)), copy.deepcopy(self.fast_nested), by_state):
            self.assertTrue(ferry.torch.compare(other(pictures(2)), want, rtol=0, atol=0).passed)

    def test_it_is_a_module_among_modules(self):
        both = torch.nn.Sequential(self.fast, torch.nn.Softmax(1))
        near(self, both(pictures(1)), torch.softmax(run(self.model, pictures(1)), 1))
        self.assertIn("input 'image': float [1, 3, 16, 16]", repr(both))

    # --- Building ----------------------------------------------------------------------------------------------------

    def test_int8_by_every_kind_of_samples_is_the_same(self):
        data = pictures(24, 4)
        labels = torch.zeros(24)
        dataset = torch.utils.data.TensorDataset(data, labels)
        npy = self.path + ".npy"
        numpy.save(npy, data.numpy())
        kinds = {"tensor": data, "dataset": dataset, "loader": torch.utils.data.DataLoader(dataset, batch_size=7),
                 "iterable": [t for t in data], "dicts": [{"image": t[None], "label": 1} for t in data],
                 "arrays": list(data.numpy()), "npy": npy, "calibrator": OneByOne(data)}
        plans = {}
        for kind, calib in kinds.items():
            fast = ferry.torch.compile(self.model, pictures(1), int8=True, calib=calib)
            plans[kind] = fast.engine.numeric_plan
            comparison = ferry.torch.compare(fast(data[:1]), run(self.model, data[:1]))
            self.assertLess(comparison.differences[0].relative_l2, 0.1, kind)
            self.assertGreater(comparison.differences[0].relative_l2, 1e-5, kind)
        self.assertEqual(len(set(plans.values())), 1, plans.keys())
        few = ferry.torch.compile(self.model, pictures(1), int8=True, calib=data, calib_count=5)
        five = ferry.torch.compile(self.model, pictures(1), int8=True, calib=data[:5])
        self.assertEqual(few.engine.numeric_plan, five.engine.numeric_plan)
        self.assertNotEqual(few.engine.numeric_plan, plans["tensor"])

    def test_int8_from_a_folder_of_pictures(self):
        folder = os.path.join(torch_case.SOURCE, "examples", "pictures", "calibrate")
        fast = ferry.torch.compile(self.model, pictures(1), int8=True, calib=folder, calib_count=6, std=(255, 255, 255))
        self.assertIn("std", fast.engine.text("preprocess"))
        x = pictures(1)
        self.assertLess(ferry.torch.compare(fast(x), run(self.model, x)).differences[0].relative_l2, 0.3)

    def test_samples_that_do_not_fit_are_named(self):
        for calib, words in (([(torch.zeros(1, 2),)], "image"), ([{"picture": torch.zeros(1)}], "nothing for input"),
                             ([()], "0 parts for 1 inputs")):
            with self.assertRaises(ferry.InvalidArgumentError) as caught:
                ferry.torch.compile(self.model, pictures(1), int8=True, calib=calib)
            self.assertIn(words, str(caught.exception))

    def test_an_exception_in_a_loader_reaches_the_caller(self):
        def samples():
            yield pictures(1)
            raise ZeroDivisionError("in the loader")

        with self.assertRaises(ZeroDivisionError):
            ferry.torch.compile(self.model, pictures(1), int8=True, calib=samples())

    def test_other_options_of_build_and_the_report(self):
        onnx = self.path + ".onnx"
        fast = ferry.torch.compile(self.model, pictures(1), fp16=True, check=True, onnx=onnx, name="mine",
                                   metadata={"who": "me"}, layer_precision={"*": "fp32"})
        self.assertEqual((fast.engine.name, fast.engine.metadata("who")), ("mine", "me"))
        self.assertTrue(fast.report.comparison.passed)
        self.assertEqual(fast.report.path, onnx)
        self.assertTrue(os.path.exists(onnx))
        with self.assertRaises(TypeError) as caught:
            ferry.torch.compile(self.model, pictures(1), int9=True)
        self.assertIn("int9", str(caught.exception))


class OneByOne(ferry.Calibrator):
    """TensorRT's way of handing over samples."""

    def __init__(self, data):
        self.left = list(data)

    def get_batch(self, names):
        return [self.left.pop(0).numpy()] if self.left else None


if __name__ == "__main__":
    unittest.main()
