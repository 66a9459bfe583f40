# SPDX-License-Identifier: Apache-2.0
"""Networks built layer by layer, looked into and changed; builds with every option; calibration and histograms."""
import os
import pickle
import tempfile
import unittest

import numpy

import python_case as case
import ferry

RANDOM = numpy.random.RandomState(0)


class LayerByLayer(unittest.TestCase):
    def test_a_network_computes_what_it_says(self):
        net = case.conv_network(batch=2)
        x = RANDOM.rand(2, 3, 8, 8).astype(numpy.float32)
        got = case.build(net).create_context().run(x)["scores"]
        numpy.testing.assert_allclose(got, case.conv_reference(net, x), rtol=1e-4, atol=1e-4)

    def test_it_can_be_looked_into(self):
        net = case.conv_network()
        conv = net.nodes[0]
        self.assertEqual((conv.op_type, conv.name, conv.attributes["pads"]), ("Conv", "conv", [1, 1, 1, 1]))
        self.assertEqual(conv.inputs[0], net.tensor("x"))
        self.assertTrue(conv.inputs[1].is_constant)
        self.assertEqual(conv.inputs[1].value().shape, (16, 3, 3, 3))
        self.assertEqual(conv.outputs[0].shape, (1, 16, 8, 8))
        self.assertEqual(conv.outputs[0].producer, conv)
        self.assertEqual([t.name for t in net.inputs + net.outputs], ["x", "scores"])
        self.assertIsNone(net.tensor("x").producer)
        self.assertEqual(len(net), len(net.nodes))
        self.assertEqual([b.name for b in net.bindings], ["x", "scores"])
        self.assertEqual(len({net.tensor("x"), net.inputs[0], net.tensor("scores")}), 2)

    def test_attributes_of_every_kind_come_back(self):
        net = ferry.Network()
        x = net.add_input("x", numpy.float32, [1, 4])
        y = net.add("LeakyRelu", x, alpha=0.25)
        self.assertEqual(y.producer.attributes, {"alpha": 0.25})
        y = net.add("Transpose", y, perm=[1, 0])
        self.assertEqual(y.producer.attributes, {"perm": [1, 0]})
        constant = net.add("Constant", value=numpy.arange(3))
        numpy.testing.assert_array_equal(constant.value(), [0, 1, 2])
        image = net.add_input("image", numpy.float32, [1, 1, 4, 4])
        big = net.add("Resize", image, None, numpy.array([1, 1, 2, 2], numpy.float32), mode="nearest",
                      coordinate_transformation_mode="asymmetric", nearest_mode="floor")
        self.assertEqual(big.producer.attributes["mode"], "nearest")
        self.assertEqual(big.shape, (1, 1, 8, 8))
        self.assertIsNone(big.producer.inputs[1])

    def test_several_outputs_and_unwanted_ones(self):
        net = ferry.Network()
        x = net.add_input("x", numpy.float32, [6])
        a, b = net.add("Split", x, numpy.array([2, 4]), outputs=["a", "b"])
        self.assertEqual((a.shape, b.shape), ((2,), (4,)))
        values, indices = net.add("TopK", x, numpy.array([2]), outputs=2)
        for tensor in (a, b, values):
            net.mark_output(tensor)
        net.unmark_output("b")
        self.assertEqual([t.name for t in net.outputs], ["a", values.name])
        got = case.build(net).create_context().run(numpy.array([3, 1, 2, 9, 5, 4], numpy.float32))
        numpy.testing.assert_array_equal(got["a"], [3, 1])
        numpy.testing.assert_array_equal(got[values.name], [9, 5])
        self.assertEqual(indices.dtype, numpy.int64)

    def test_an_error_names_the_node_and_leaves_the_network_as_it_was(self):
        net = case.relu_network()
        nodes = len(net)
        with self.assertRaisesRegex(ferry.Error, "bad.*Conv"):
            net.add("Conv", "x", numpy.zeros((2, 2), numpy.float32), name="bad")
        with self.assertRaisesRegex(ferry.Error, "NoSuchOperator"):
            net.add("NoSuchOperator", "x")
        with self.assertRaises(ferry.Error):
            net.add("Relu", "x", outputs=["y"])  # the name is taken
        self.assertEqual(len(net), nodes)
        other = case.relu_network()
        with self.assertRaisesRegex(ferry.InvalidArgumentError, "another network"):
            net.add("Relu", other.tensor("x"))

    def test_names_shapes_and_ranges_change(self):
        net = case.conv_network()
        net.name = "n\u00e9w"
        net.tensor("x").name = "image"
        net.nodes[0].name = "first"
        self.assertEqual((net.name, net.inputs[0].name, net.nodes[0].name), ("n\u00e9w", "image", "first"))
        net.inputs[0].shape = [4, 3, 16, 16]
        self.assertEqual(net.tensor("features").shape, (4, 16, 16, 16))
        with self.assertRaises(ferry.Error):
            net.inputs[0].shape = [4, 5, 16, 16]
        self.assertEqual(net.inputs[0].shape, (4, 3, 16, 16))
        tensor = net.tensor("features")
        self.assertIsNone(tensor.dynamic_range)
        tensor.dynamic_range = 2.5
        self.assertEqual(tensor.dynamic_range, 2.5)
        for bad in (0, -1, float("nan"), float("inf")):
            with self.assertRaises(ferry.InvalidArgumentError):
                tensor.dynamic_range = bad
        tensor.dynamic_range = None
        self.assertIsNone(tensor.dynamic_range)
        self.assertEqual(case.build(net).inputs[0].shape, (4, 3, 16, 16))

    def test_dynamic_ranges_are_enough_for_int8(self):
        net = case.conv_network()
        x = RANDOM.rand(1, 3, 8, 8).astype(numpy.float32)
        expected = case.conv_reference(net, x)
        for tensor in net.tensors:
            if not tensor.is_constant:
                tensor.dynamic_range = {"x": 1.0, "scores": 20.0}.get(tensor.name, 12.0)
        engine = case.build(net, int8=True)
        self.assertIn("int8", engine.describe()["summary"]["layers_by_precision"])
        got = engine.create_context().run(x)["scores"]
        self.assertLess(numpy.abs(got - expected).max(), 0.1 * numpy.abs(expected).max())

    def test_operators_are_asked_for(self):
        self.assertTrue(ferry.supports_operator("Conv"))
        self.assertTrue(ferry.supports_operator("Conv", "", 11))
        self.assertFalse(ferry.supports_operator("Conv", "com.example"))
        self.assertFalse(ferry.supports_operator("NoSuchOperator"))


class Models(unittest.TestCase):
    def model(self):
        try:
            import onnx
            from onnx import helper
        except ImportError:
            self.skipTest("no onnx here")
        graph = helper.make_graph(
            [helper.make_node("Mul", ["x", "two"], ["y"], name="double")], "doubling",
            [helper.make_tensor_value_info("x", 1, ["batch", 3])],
            [helper.make_tensor_value_info("y", 1, ["batch", 3])],
            [onnx.numpy_helper.from_array(numpy.float32(2).reshape(1), "two")])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        model.metadata_props.add(key="author", value="me")
        return model

    def test_from_bytes_a_proto_and_a_file(self):
        model = self.model()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "m.onnx")
            with open(path, "wb") as file:
                file.write(model.SerializeToString())
            net = ferry.Network.load(path)
            for source in (model, model.SerializeToString(), path, net):
                with ferry.build(source, shape={"x": (2, 3)}, progress=False) as built:
                    numpy.testing.assert_array_equal(built(numpy.ones((2, 3), numpy.float32))["y"],
                                                     numpy.full((2, 3), 2))
        self.assertEqual((net.name, net.opset, net.metadata("author"), net.metadata("nobody")),
                         ("doubling", 17, "me", None))
        self.assertEqual(net.inputs[0].dim_names, ("batch", None))
        self.assertEqual(net.inputs[0].shape, (-1, 3))

    def test_what_is_no_model_is_refused(self):
        for bad in (b"", b"no model", numpy.zeros(100, numpy.uint8)):
            with self.assertRaises(ferry.Error):
                ferry.Network.parse(bad)
        with self.assertRaisesRegex(ferry.FileError, "no/such"):
            ferry.Network.load("no/such.onnx")


class Building(unittest.TestCase):
    def test_profiles_from_the_config_and_from_words(self):
        def network():
            net = ferry.Network()
            net.mark_output(net.add("Relu", net.add_input("x", numpy.float32, [-1, 2]), outputs=["y"]))
            return net

        config = ferry.BuilderConfig(progress=False)
        config.set_shape("x", (1, 2), (2, 2), (4, 2))
        by_config = ferry.Builder().build(network(), config).inputs[0]
        by_words = ferry.build(network(), min_shape="x=1x2", opt_shape={"x": (2, 2)}, max_shape=["x=4x2"],
                               progress=False).engine.inputs[0]
        self.assertEqual(by_config, by_words)
        self.assertEqual(by_config.max_shape, (4, 2))
        with self.assertRaisesRegex(ferry.InvalidArgumentError, "shape fixes it"):
            ferry.build(network(), shape="x=1x2", max_shape="x=2x2")

    def test_precisions_and_layers(self):
        net = case.conv_network()

        def count(engine):
            return engine.describe()["summary"]["layers_by_precision"]

        self.assertEqual(set(count(case.build(net))), {"fp32"})
        self.assertIn("fp16", count(case.build(net, fp16=True)))
        samples = [RANDOM.rand(1, 3, 8, 8) for _i in range(8)]
        mixed = case.build(net, int8=True, calibration=samples, layer_precision={"*": "fp32"})
        self.assertEqual(set(count(mixed)), {"fp32"})
        with self.assertRaisesRegex(ferry.Error, "nowhere"):
            case.build(net, layer_precision={"nowhere*": "fp32"})

    def test_the_fp16_guard_keeps_what_overflows(self):
        net = case.conv_network()
        loud = [RANDOM.rand(1, 3, 8, 8) * 1e6]
        kept = case.build(net, fp16=True, calibration=loud).describe()["kept_from_fp16"]
        self.assertIn("reaches", kept[0]["why"])
        self.assertEqual(case.build(net, fp16=True).describe()["kept_from_fp16"], [])
        off = case.build(net, fp16=True, calibration=loud, no_fp16_guard=True)
        self.assertEqual(off.describe()["kept_from_fp16"], [])

    def test_a_numeric_plan_is_replayed(self):
        net = case.conv_network()
        first = case.build(net, int8=True, calibration=[RANDOM.rand(1, 3, 8, 8) for _i in range(8)])
        second = case.build(net, int8=True, plan=first.numeric_plan)
        x = RANDOM.rand(1, 3, 8, 8).astype(numpy.float32)
        numpy.testing.assert_array_equal(first.create_context().run(x)["scores"],
                                         second.create_context().run(x)["scores"])

    def test_caps_and_files(self):
        net = case.conv_network()
        with self.assertRaisesRegex(ferry.OutOfMemoryError, "16"):
            case.build(net, memory=16)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "times")
            case.build(net, timing_cache=path)
            self.assertTrue(os.path.getsize(path))
        stripped = case.build(net, strip_portable=True)
        self.assertLess(len(stripped.serialize()), len(case.build(net).serialize()))
        self.assertIsNone(case.build(net).text("winograd"))
        self.assertEqual(case.build(net, no_winograd=True).text("winograd"), "off")
        self.assertEqual(case.build(net, low_memory=True, no_timing=True).text("low_memory"), "on")
        names = [name for name, _what in ferry.passes()]
        case.build(net, disabled_passes=names)
        with self.assertRaises(ferry.Error):
            case.build(net, disabled_passes=["no_such_pass"])


class Calibrating(unittest.TestCase):
    def setUp(self):
        self.net = case.conv_network()
        self.samples = [RANDOM.rand(1, 3, 8, 8).astype(numpy.float32) for _i in range(12)]

    def cache(self, source, **options):
        return ferry.Builder().calibrate(self.net, calibration=ferry.Calibration(source, **options), progress=False)

    def test_every_form_of_samples_gives_the_same_cache(self):
        class Own(ferry.Calibrator):
            def __init__(self, samples):
                self.samples, self.written = samples, None

            def get_batch_size(self):
                return 3

            def get_batch(self, names):
                batch, self.samples = self.samples[:3], self.samples[3:]
                return {"x": numpy.concatenate(batch)} if batch else None

            def write_calibration_cache(self, cache):
                self.written = cache

        class Duck:
            def __init__(self, samples):
                self.samples = list(samples)

            def get_batch(self, names):
                return [self.samples.pop(0)] if self.samples else None

        own = Own(self.samples)
        expected = self.cache(own)
        self.assertEqual(own.written.decode(), expected)
        stacked = numpy.concatenate(self.samples)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "samples.npy")
            numpy.save(path, stacked)
            for source in (self.samples, iter(self.samples), stacked, [stacked[:5], stacked[5:]],
                           stacked.reshape(12, -1), [{"x": s} for s in self.samples], [(s,) for s in self.samples],
                           [s.astype(numpy.float64) for s in self.samples], Duck(self.samples), path):
                self.assertEqual(self.cache(source), expected)

    def test_a_cache_serves_instead_of_samples(self):
        text = self.cache(self.samples)

        class Cached(ferry.Calibrator):
            def get_batch(self, names):
                raise AssertionError("there is a cache")

            def read_calibration_cache(self):
                return text

        engine = case.build(self.net, int8=True, calibration=Cached())
        self.assertIn("int8", engine.describe()["summary"]["layers_by_precision"])
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "m.cache")
            self.assertEqual(self.cache(self.samples, cache=path, cache_version=8601).split("\n")[1:],
                             text.split("\n")[1:])
            with open(path) as file:
                self.assertIn("8601", file.readline())
            case.build(self.net, int8=True, calibration=ferry.Calibration(cache=path))

    def test_algorithms(self):
        texts = {a: self.cache(self.samples, algorithm=a) for a in
                 ("entropy2", "entropy", "minmax", "percentile:99", "percentile:50", "mse", "auto")}
        self.assertNotEqual(texts["percentile:99"], texts["percentile:50"])
        with self.assertRaisesRegex(ferry.InvalidArgumentError, "median"):
            self.cache(self.samples, algorithm="median")

        class Chooses(ferry.Calibrator):
            def __init__(self, samples):
                self.samples = list(samples)

            def get_batch(self, names):
                return self.samples.pop(0) if self.samples else None

            def get_algorithm(self):
                return "minmax"

        self.assertEqual(self.cache(Chooses(self.samples)).split("\n")[1:], texts["minmax"].split("\n")[1:])

    def test_samples_that_do_not_fit_are_refused_with_both_shapes(self):
        for bad, text in (([numpy.zeros((1, 3, 7, 8))], "samples are"), ([numpy.zeros(0)], "samples are"),
                          ([{"y": self.samples[0]}], "no data for input 'x'"), ([("a", "b")], "2 arrays for 1 inputs"),
                          ([numpy.zeros((1, 3, 8, 8), complex)], "takes float32, not complex128")):
            with self.assertRaisesRegex(ferry.InvalidArgumentError, text):
                self.cache(bad)
        with self.assertRaises(TypeError):
            self.cache(5)
        with self.assertRaisesRegex(ferry.Error, "no/such"):
            self.cache("no/such/folder")

    def test_histograms_of_parts_add_up_to_the_bit(self):
        builder = ferry.Builder()
        parts = [builder.observe(self.net, progress=False, calibration=self.samples[i::3]) for i in range(3)]
        whole = builder.observe(self.net, progress=False, calibration=self.samples)
        sent = [pickle.loads(pickle.dumps(p)) for p in parts]
        total = sent[2].merge(sent[0]).merge(sent[1])
        self.assertEqual(total.serialize(), whole.serialize())
        self.assertEqual(total.sample_count, 12)
        for algorithm in ("entropy2", "minmax", "percentile:99.9", "mse"):
            self.assertEqual(total.cache(algorithm), self.cache(self.samples, algorithm=algorithm))
        self.assertEqual([h.name for h in total][0], "x")
        self.assertEqual(total[0].finite_count, 12 * 192)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "h")
            total.save(path)
            self.assertEqual(ferry.Histograms.load(path).serialize(), total.serialize())
        other = builder.observe(case.relu_network(), progress=False, calibration=[numpy.zeros((1, 4))])
        with self.assertRaises(ferry.InvalidArgumentError):
            total.merge(other)
        with self.assertRaises(ferry.InvalidArgumentError):
            total.merge(total)
        with self.assertRaises(ferry.BadDataError):
            ferry.Histograms.deserialize(total.serialize()[:-3])


if __name__ == "__main__":
    unittest.main()
