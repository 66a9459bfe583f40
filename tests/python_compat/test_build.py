# SPDX-License-Identifier: Apache-2.0
"""Parsing, configuring and building: what becomes of flags, calibrators, profiles, precisions, caches and devices."""
import os
import shutil
import tempfile
import unittest
import warnings

import compat_case
from compat_case import CompatCase, cuda, np, run, trt

compat_case.needed("onnx")

W = trt.Logger.WARNING
INFO = trt.Logger.INFO


class Feeder(trt.IInt8EntropyCalibrator2):
    """Batches of random data on the device."""

    def __init__(self, shape, batches=3, size=1, cache=None):
        trt.IInt8EntropyCalibrator2.__init__(self)
        random = np.random.RandomState(1)
        self.arrays = [random.randn(*shape).astype(np.float32) for _ in range(batches)]
        self.left = list(self.arrays)
        self.size, self.cache, self.written, self.names = size, cache, None, None
        self.memory = cuda.mem_alloc(self.arrays[0].nbytes if batches else 4)

    def get_batch_size(self):
        return self.size

    def get_batch(self, names):
        self.names = names
        if not self.left:
            return None
        cuda.memcpy_htod(self.memory, self.left.pop(0))
        return [self.memory]

    def read_calibration_cache(self):
        return self.cache

    def write_calibration_cache(self, cache):
        self.written = bytes(cache)


class BuildCase(CompatCase):
    @classmethod
    def setUpClass(cls):
        warnings.simplefilter("ignore", DeprecationWarning)
        cls.folder = tempfile.mkdtemp()
        cls.model = compat_case.conv_model(os.path.join(cls.folder, "fixed.onnx"))
        cls.open_model = compat_case.conv_model(os.path.join(cls.folder, "open.onnx"), "batch")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def setUp(self):
        super().setUp()
        self.config = self.builder.create_builder_config()

    def parsed(self, path=None):
        network = self.network()
        self.assertTrue(trt.OnnxParser(network, self.log).parse_from_file(path or self.model), self.errors())
        return network

    def failed(self, network, config=None):
        """Builds what can't be; returns the errors."""
        self.assertIsNone(self.builder.build_serialized_network(network, config or self.config))
        return self.errors()

    def profile(self, *shapes, name="x"):
        profile = self.builder.create_optimization_profile()
        profile.set_shape(name, *shapes)
        return profile


class Parsing(BuildCase):
    def test_a_model_from_bytes_and_from_a_file(self):
        x = np.random.RandomState(0).randn(1, 3, 8, 8).astype(np.float32)
        expected = compat_case.onnxruntime_outputs(self.model, {"x": x})[0]
        network = self.network()
        with open(self.model, "rb") as file:
            self.assertTrue(trt.OnnxParser(network, self.log).parse(file.read()))
        for net in (network, self.parsed()):
            np.testing.assert_allclose(run(self.build(net), x)[0], expected, rtol=1e-4, atol=1e-5)

    def test_all_errors_of_a_model_are_listed_with_their_nodes(self):
        compat_case.needed("onnx")
        from onnx import TensorProto, helper
        value = helper.make_tensor_value_info
        graph = helper.make_graph([helper.make_node("Foo", ["x"], ["y"], name="first"),
                                   helper.make_node("Bar", ["y"], ["z"], name="second")], "bad",
                                  [value("x", TensorProto.FLOAT, [1])], [value("z", TensorProto.FLOAT, [1])])
        parser = trt.OnnxParser(self.network(), self.log)
        self.assertFalse(parser.parse(helper.make_model(graph, ir_version=8).SerializeToString()))
        self.assertEqual(parser.num_errors, 2)
        error = parser.get_error(1)
        self.assertEqual(error.code(), trt.ErrorCode.UNSUPPORTED_NODE)
        self.assertEqual((error.node_name(), error.node_operator(), error.node()), ("second", "Bar", 1))
        self.assertRegex(str(error), r"In node 1 .*UNSUPPORTED_NODE: .*Bar is not supported")
        self.assertIn("first", self.errors())
        parser.clear_errors()
        self.assertEqual(parser.num_errors, 0)

    def test_files_that_are_absent_or_no_models(self):
        for parser, source in ((trt.OnnxParser(self.network(), self.log).parse_from_file, "absent.onnx"),
                               (trt.OnnxParser(self.network(), self.log).parse, b"no model")):
            self.assertFalse(parser(source))
        self.assertIn("absent.onnx", self.errors())
        parser = trt.OnnxParser(self.network(), self.log)
        parser.parse(b"no model")
        self.assertEqual(parser.get_error(0).code(), trt.ErrorCode.MODEL_DESERIALIZE_FAILED)
        self.assertEqual(parser.get_error(0).node(), -1)

    def test_what_is_supported(self):
        parser = trt.OnnxParser(self.network(), self.log)
        self.assertTrue(parser.supports_operator("Conv"))
        self.assertFalse(parser.supports_operator("Foo"))
        with open(self.model, "rb") as file:
            self.assertEqual(parser.supports_model(file.read()), (True, [([0, 1, 2], True)]))
        self.assertEqual(parser.supports_model(b"no model"), (False, []))

    def test_looking_into_a_parsed_network(self):
        network = self.parsed()
        self.assertEqual((network.num_inputs, network.num_outputs, network.num_layers, len(network)), (1, 1, 3, 3))
        self.assertEqual([(layer.name, layer.type) for layer in network],
                         [("conv", trt.LayerType.CONVOLUTION), ("relu", trt.LayerType.ACTIVATION),
                          ("pool", trt.LayerType.POOLING)])
        self.assertEqual(network[0].get_input(0), network.get_input(0))
        self.assertEqual(network[-1].get_output(0), network.get_output(0))
        self.assertIsNone(network.get_layer(3))
        self.assertEqual(network.get_input(0).shape, (1, 3, 8, 8))
        self.assertTrue(network.get_input(0).is_network_input and network.get_output(0).is_network_output)
        with self.assertRaisesRegex(AttributeError, "kernel.*'conv' .*ONNX model has"):
            network[0].kernel

    def test_changing_a_parsed_network(self):
        network = self.parsed(self.open_model)
        network.get_input(0).shape = [2, 3, 8, 8]
        network.get_input(0).name = "data"
        network[1].get_output(0).name = "features"
        network.mark_output(network[1].get_output(0))
        self.assertEqual(network.get_output(0).shape, (2, 4, 1, 1))
        engine = self.build(network)
        self.assertEqual(list(engine), ["data", "y", "features"])
        network.unmark_output(network.get_output(0))
        softmax = network.add_softmax(network.get_output(0))
        softmax.get_output(0).name = "chances"
        network.mark_output(softmax.get_output(0))
        engine = self.build(network)
        self.assertEqual(list(engine), ["data", "features", "chances"])
        features, chances = run(engine, np.ones((2, 3, 8, 8), np.float32))
        e = np.exp(features - features.max(axis=1, keepdims=True))
        np.testing.assert_allclose(chances, e / e.sum(axis=1, keepdims=True), rtol=1e-5)
        softmax.axes = 1 << 3  # what was built once may be changed and built again
        _features, chances = run(self.build(network), np.ones((2, 3, 8, 8), np.float32))
        e = np.exp(features - features.max(axis=3, keepdims=True))
        np.testing.assert_allclose(chances, e / e.sum(axis=3, keepdims=True), rtol=1e-5)


class Failures(BuildCase):
    def test_a_network_without_outputs(self):
        network = self.network()
        network.add_input("x", trt.float32, (1, 4))
        self.assertIn("no output", self.failed(network))

    def test_a_layer_that_does_not_fit_is_named(self):
        network = self.network()
        x = network.add_input("x", trt.float32, (1, 3, 8, 8))
        layer = network.add_convolution_nd(x, 4, (3, 3), np.zeros(7, np.float32))
        layer.name = "odd"
        network.mark_output(layer.get_output(0))
        self.assertRegex(self.failed(network), r"layer 'odd': the kernel has 7 weights, and \[4, 3, 3, 3\] makes 108")
        self.assertFalse(self.builder.is_network_supported(network, self.config))

    def test_an_input_that_is_there_already(self):
        network = self.network()
        network.add_input("x", trt.float32, (1, 4))
        self.assertIsNone(network.add_input("x", trt.float32, (1, 4)))
        self.assertIn("'x'", self.errors())

    def test_tensors_of_another_network(self):
        tensor = self.network().add_input("x", trt.float32, (1, 4))
        with self.assertRaisesRegex(ValueError, "'x' belongs to another network"):
            self.network().add_softmax(tensor)

    def test_a_layer_that_takes_its_own_output(self):
        network = self.network()
        x = network.add_input("x", trt.float32, (1, 4))
        first = network.add_unary(x, trt.UnaryOperation.ABS)
        second = network.add_unary(first.get_output(0), trt.UnaryOperation.ABS)
        first.set_input(0, second.get_output(0))
        network.mark_output(second.get_output(0))
        self.assertIn("takes its own output", self.failed(network))

    def test_layers_may_be_added_in_any_order(self):
        network = self.network()
        x = network.add_input("x", trt.float32, (1, 4))
        late = network.add_unary(x, trt.UnaryOperation.NEG)
        early = network.add_unary(x, trt.UnaryOperation.ABS)
        late.set_input(0, early.get_output(0))
        network.mark_output(late.get_output(0))
        np.testing.assert_array_equal(run(self.build(network), np.array([[1, -2, 3, -4]], np.float32))[0],
                                      [[-1, -2, -3, -4]])

    def test_a_workspace_that_is_too_small_is_honoured(self):
        self.config.max_workspace_size = 1 << 20
        self.assertEqual(self.config.get_memory_pool_limit(trt.MemoryPoolType.WORKSPACE), 1 << 20)
        self.assertIsNotNone(self.builder.build_engine(self.parsed(), self.config))


class Precisions(BuildCase):
    def layers(self, engine):
        return {layer["name"]: layer["precision"] for layer in engine._engine.layers if layer["kind"] == "layer"}

    def test_fp16_builds_and_says_that_it_is_not_faster(self):
        self.assertIs(self.builder.platform_has_fast_fp16, True)
        self.config.set_flag(trt.BuilderFlag.FP16)
        engine = self.build(self.parsed(), self.config)
        self.assertIn("fp16", self.layers(engine).values())
        if compat_case.ferry.default_runtime().host_memory:
            self.assertIn("FP16 can be built for, but is not faster", self.log.text(W))

    def test_layers_keep_to_the_precision_that_is_set(self):
        self.config.set_flag(trt.BuilderFlag.FP16)
        network = self.parsed()
        network[2].precision = trt.float32
        self.assertTrue(network[2].precision_is_set)
        self.assertEqual(self.layers(self.build(network, self.config))["pool"], "fp32")
        network[2].reset_precision()
        self.assertEqual(self.layers(self.build(network, self.config))["pool"], "fp16")
        network[2].set_output_type(0, trt.float32)
        self.assertEqual(self.layers(self.build(network, self.config))["pool"], "fp32")

    def test_a_layer_with_a_name_of_tensorrts_making_keeps_its_precision(self):
        network = self.network()
        x = network.add_input("x", trt.float32, (1, 3, 8, 8))
        conv = network.add_convolution_nd(x, 4, (3, 3), np.ones((4, 3, 3, 3), np.float32))
        pool = network.add_pooling_nd(conv.get_output(0), trt.PoolingType.MAX, (2, 2))
        self.assertEqual(pool.name, "(Unnamed Layer* 1) [Pooling]")
        network.mark_output(pool.get_output(0))
        pool.precision = trt.float32
        self.config.set_flag(trt.BuilderFlag.FP16)
        found = self.layers(self.build(network, self.config))
        self.assertEqual(found["(Unnamed Layer* 1) [Pooling]"], "fp32")
        self.assertIn("fp16", found.values())

    def test_dynamic_ranges_serve_in_the_place_of_a_calibrator(self):
        network = self.parsed()
        self.config.set_flag(trt.BuilderFlag.INT8)
        self.assertIn("INT8 needs scales", self.failed(network, self.config))
        for i in range(network.num_layers):
            self.assertTrue(network[i].get_output(0).set_dynamic_range(-20.0, 16.0))
        network.get_input(0).dynamic_range = (-3, 3)
        self.assertEqual(network.get_input(0).dynamic_range, (-3.0, 3.0))
        engine = self.build(network, self.config)
        self.assertIn("int8", self.layers(engine).values())
        for bad in ((1, -1), (0, 0), (0, float("inf")), (float("nan"), 1)):
            self.assertRaises(ValueError, network.get_input(0).set_dynamic_range, *bad)

    def test_flags_that_do_nothing_say_so_and_those_that_can_not_be_are_errors(self):
        self.config.set_flag(trt.BuilderFlag.SPARSE_WEIGHTS)
        self.assertIn("SPARSE_WEIGHTS has no effect: ferry has no kernels", self.log.text(INFO))
        with self.assertRaisesRegex(NotImplementedError, "BuilderFlag.FP8 is not offered.*INT8 are what there is"):
            self.config.set_flag(trt.BuilderFlag.FP8)
        self.assertFalse(self.config.get_flag(trt.BuilderFlag.FP8))
        self.assertTrue(self.config.get_flag(trt.BuilderFlag.TF32))
        self.config.clear_flag(trt.BuilderFlag.TF32)
        self.assertEqual(self.config._tactics, "all")
        self.assertTrue(self.config.set_tactic_sources(1 << int(trt.TacticSource.JIT_CONVOLUTIONS)))
        self.assertEqual(self.config.get_tactic_sources(), 1 << int(trt.TacticSource.JIT_CONVOLUTIONS))
        self.assertEqual(self.config._tactics, "own")
        self.config.set_tactic_sources(1 << int(trt.TacticSource.CUDNN))
        self.assertEqual(self.config._tactics, "all")
        self.config.flags |= 1 << int(trt.BuilderFlag.FP16)
        self.assertEqual(self.config.flags, 1 << int(trt.BuilderFlag.FP16) | 1 << int(trt.BuilderFlag.SPARSE_WEIGHTS))
        self.config.builder_optimization_level = 3
        self.assertNotIn("optimization_level", self.log.text(INFO))
        self.config.builder_optimization_level = 5
        self.assertIn("builder_optimization_level = 5 has no effect", self.log.text(INFO))
        self.assertEqual(self.config.builder_optimization_level, 5)
        self.assertRaises(TypeError, self.config.set_flag, 1)

    def test_every_builder_flag_has_its_answer(self):
        from ferry.compat.tensorrt import _settings
        for flag in trt.BuilderFlag:
            places = (flag in _settings.HONOURED) + (flag in _settings.NO_EFFECT) + (flag in _settings.REFUSED)
            self.assertEqual(places, 1, str(flag))


class Calibrators(BuildCase):
    def setUp(self):
        super().setUp()
        self.config.set_flag(trt.BuilderFlag.INT8)

    def cache(self, network, calibrator):
        """Builds; returns the cache that the calibrator was given."""
        self.config.int8_calibrator = calibrator
        self.build(network, self.config)
        return calibrator.written

    def direct(self, samples, algorithm):
        """What ferry finds on the same samples without device pointers between."""
        return compat_case.ferry.Builder().calibrate(
            compat_case.ferry.Network.load(self.model), int8=True, progress=False,
            calibration=compat_case.ferry.Calibration(samples, algorithm=algorithm, cache_version="8601")).encode()

    def test_samples_reach_ferry_as_they_are(self):
        feeder = Feeder((1, 3, 8, 8))
        self.assertEqual(self.cache(self.parsed(), feeder), self.direct(feeder.arrays, "entropy2"))
        self.assertEqual(feeder.names, ["x"])
        self.assertTrue(feeder.written.startswith(b"TRT-8601-EntropyCalibration2\nx: "))

    def test_each_class_has_its_algorithm(self):
        for base, algorithm in ((trt.IInt8EntropyCalibrator2, "entropy2"), (trt.IInt8EntropyCalibrator, "entropy"),
                                (trt.IInt8MinMaxCalibrator, "minmax"), (trt.IInt8LegacyCalibrator, "percentile:90")):
            kind = type("Kind", (base,), {n: f for n, f in vars(Feeder).items() if n not in ("__init__", "__dict__")})
            feeder = kind()
            feeder.__dict__.update(Feeder((1, 3, 8, 8)).__dict__)
            kind.get_quantile = lambda self: 0.9
            with self.subTest(base=base.__name__):
                self.assertEqual(self.cache(self.parsed(), feeder), self.direct(feeder.arrays, algorithm))

    def test_batches_are_taken_apart(self):
        """A network of batch 1 calibrated with batches of 4, and one with an open batch: all samples count."""
        feeder = Feeder((4, 3, 8, 8), batches=2, size=4)
        expected = self.direct(np.concatenate(feeder.arrays), "entropy2")
        self.assertEqual(self.cache(self.parsed(), feeder), expected)
        self.config.add_optimization_profile(self.profile((1, 3, 8, 8), (4, 3, 8, 8), (8, 3, 8, 8)))
        feeder = Feeder((4, 3, 8, 8), batches=2, size=4)
        self.assertEqual(self.cache(self.parsed(self.open_model), feeder), expected)

    def test_a_batch_as_large_as_the_profiles_where_the_calibrator_says_one(self):
        self.config.add_optimization_profile(self.profile((1, 3, 8, 8), (4, 3, 8, 8), (8, 3, 8, 8)))
        feeder = Feeder((4, 3, 8, 8), batches=2, size=1)
        self.assertEqual(self.cache(self.parsed(self.open_model), feeder),
                         self.direct(np.concatenate(feeder.arrays), "entropy2"))

    def test_a_batch_size_beyond_the_memory_that_is_handed_out(self):
        feeder = Feeder((2, 3, 8, 8), batches=1, size=64)
        self.assertEqual(self.cache(self.parsed(), feeder), self.direct(feeder.arrays[0], "entropy2"))

    def test_a_cache_serves_in_the_place_of_batches(self):
        first = Feeder((1, 3, 8, 8))
        cache = self.cache(self.parsed(), first)
        second = Feeder((1, 3, 8, 8), batches=0, cache=cache)
        self.assertIsNone(self.cache(self.parsed(), second))
        self.assertIsNone(second.names)

    def test_no_batch_fails_the_build_with_the_reason(self):
        self.config.int8_calibrator = Feeder((1, 3, 8, 8), batches=0)
        self.assertIn("no batch", self.failed(self.parsed()))

    def test_what_a_calibrator_raises_comes_out_of_the_build(self):
        class Raises(Feeder):
            def get_batch(self, names):
                return [] if len(self.left) < 2 else super().get_batch(names)

            def write_calibration_cache(self, cache):
                raise KeyError("of mine")

        self.config.int8_calibrator = Raises((1, 3, 8, 8))
        self.assertRaisesRegex(KeyError, "of mine", self.builder.build_engine, self.parsed(), self.config)
        Raises.get_batch = lambda self, names: 1 / 0
        self.config.int8_calibrator = Raises((1, 3, 8, 8))
        self.assertRaises(ZeroDivisionError, self.builder.build_serialized_network, self.parsed(), self.config)

    def test_addresses_that_are_too_few(self):
        class Short(Feeder):
            def get_batch(self, names):
                return [self.memory, self.memory]

        self.config.int8_calibrator = Short((1, 3, 8, 8))
        self.assertIn("2 addresses for 1 inputs", self.failed(self.parsed()))

    def test_a_calibration_profile_sets_the_shapes_of_samples(self):
        network = self.network()
        x = network.add_input("x", trt.float32, (1, 3, -1, -1))
        conv = network.add_convolution_nd(x, 4, (3, 3), np.random.RandomState(5).randn(4, 3, 3, 3).astype(np.float32))
        network.mark_output(conv.get_output(0))
        self.config.add_optimization_profile(self.profile((1, 3, 8, 8), (1, 3, 32, 32), (1, 3, 64, 64)))
        self.config.set_calibration_profile(self.profile((1, 3, 8, 8), (1, 3, 8, 8), (1, 3, 8, 8)))
        feeder = Feeder((1, 3, 8, 8))
        self.assertTrue(self.cache(network, feeder).startswith(b"TRT-8601-"))
        self.assertEqual(feeder.left, [])

    def test_what_is_no_calibrator(self):
        with self.assertRaisesRegex(TypeError, "must derive from tensorrt.IInt8EntropyCalibrator2"):
            self.config.int8_calibrator = object()


class ProfilesDevicesAndCaches(BuildCase):
    def test_open_dimensions_need_a_profile(self):
        self.assertRegex(self.failed(self.parsed(self.open_model)), r"input 'x' has open dimensions \[-1, 3, 8, 8\]")

    def test_profiles_that_are_none(self):
        profile = self.builder.create_optimization_profile()
        self.assertFalse(profile)
        self.assertEqual(self.config.add_optimization_profile(profile), -1)
        for shapes in (((2, 3), (1, 3), (4, 3)), ((1, 3), (1, 3, 8), (1, 3))):
            self.assertRaisesRegex(ValueError, "input 'x'", profile.set_shape, "x", *shapes)
        self.assertEqual(profile.get_shape("x"), [])
        profile.set_shape("y", (1,), (2,), (3,))
        self.assertEqual(profile.get_shape("y"), [(1,), (2,), (3,)])
        self.config.add_optimization_profile(profile)
        self.assertIn("shapes for 'y', and the network's inputs are 'x'", self.failed(self.parsed()))

    def test_a_device_that_is_not_there(self):
        self.config.default_device_type, self.config.DLA_core = trt.DeviceType.DLA, 0
        self.assertEqual(self.config.DLA_core, 0)
        if self.builder.num_DLA_cores:
            self.skipTest("this machine has a DLA")
        network = self.parsed()
        self.assertFalse(self.config.can_run_on_DLA(network[0]))
        self.assertIn("no DLA core: set BuilderFlag.GPU_FALLBACK", self.failed(network))
        self.config.set_flag(trt.BuilderFlag.GPU_FALLBACK)
        self.build(network, self.config)
        self.assertIn("GPU_FALLBACK is set: all layers run on", self.log.text(W))

    def test_a_timing_cache_is_completed_kept_and_combined(self):
        cache = self.config.create_timing_cache(b"")
        self.assertTrue(self.config.set_timing_cache(cache, ignore_mismatch=False))
        self.build(self.parsed(), self.config)
        first = bytes(self.config.get_timing_cache().serialize())
        self.assertGreater(first.count(b"\n"), 1)
        self.build(self.parsed(), self.config)
        self.assertEqual(bytes(cache.serialize()), first)  # measured before: nothing new

        other = self.config.create_timing_cache(b"ferry timing cache 1\n1.000\tsomething else\n")
        self.assertTrue(other.combine(cache, False))
        merged = bytes(other.serialize())
        self.assertEqual(merged.count(b"\n"), first.count(b"\n") + 1)
        self.config.set_timing_cache(other, False)
        self.build(self.parsed(), self.config)
        self.assertEqual(bytes(other.serialize()), merged)
        foreign = self.config.create_timing_cache(b"\x00\x01binary")
        self.assertIn("is not ferry's", self.log.text(W))
        self.assertEqual(len(foreign.serialize()), 0)

    def test_a_progress_monitor_follows_and_may_end_the_build(self):
        class Monitor(trt.IProgressMonitor):
            def __init__(self, go_on):
                trt.IProgressMonitor.__init__(self)
                self.go_on, self.began, self.ended = go_on, [], []

            def phase_start(self, phase_name, parent_phase, num_steps):
                self.began.append(phase_name)

            def step_complete(self, phase_name, step):
                return self.go_on

            def phase_finish(self, phase_name):
                self.ended.append(phase_name)

        self.config.progress_monitor = monitor = Monitor(True)
        self.build(self.parsed(), self.config)
        self.assertTrue(monitor.began)
        self.assertEqual(monitor.began, monitor.ended)
        self.config.progress_monitor = Monitor(False)
        self.assertIn("not built", self.failed(self.parsed()))

    def test_tensorrt_7_kept_it_all_in_the_builder(self):
        self.builder.max_batch_size = 1
        self.builder.max_workspace_size = 1 << 28
        self.builder.fp16_mode = True
        self.assertTrue(self.builder.fp16_mode)
        engine = self.builder.build_cuda_engine(self.parsed())
        self.assertIn("fp16", {layer["precision"] for layer in engine._engine.layers})


if __name__ == "__main__":
    unittest.main()
