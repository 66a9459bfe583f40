# SPDX-License-Identifier: Apache-2.0
"""Calling patterns of the tools above TensorRT: torch2trt's converters and module, and polygraphy as installed."""
import os
import shutil
import tempfile
import unittest
import warnings

import compat_case
from compat_case import CompatCase, cuda, np, trt


class Converter:
    """What torch2trt's converters do with a network: shapes asked for all the time, constants that are broadcast,
    reshapes by shuffle layers, fields set after layers are made."""

    def __init__(self, network):
        self.network = network

    def constant(self, array):
        return self.network.add_constant(tuple(array.shape), np.ascontiguousarray(array)).get_output(0)

    def broadcast(self, tensor, rank):
        if len(tensor.shape) == rank:
            return tensor
        layer = self.network.add_shuffle(tensor)
        layer.reshape_dims = (1,) * (rank - len(tensor.shape)) + tuple(tensor.shape)
        return layer.get_output(0)

    def convolution(self, x, kernel, bias, stride, padding, groups):
        layer = self.network.add_convolution_nd(input=x, num_output_maps=kernel.shape[0], kernel_shape=kernel.shape[2:],
                                                kernel=kernel, bias=bias)
        layer.stride_nd, layer.padding_nd, layer.dilation_nd = (stride,) * 2, (padding,) * 2, (1, 1)
        if groups is not None:
            layer.num_groups = groups
        return layer.get_output(0)

    def batch_norm(self, x, mean, variance, weight, bias):
        scale = weight / np.sqrt(variance + 1e-5)
        return self.network.add_scale_nd(x, trt.ScaleMode.CHANNEL, bias - mean * scale, scale,
                                         np.ones_like(scale), 1).get_output(0)

    def relu6(self, x):
        six = self.broadcast(self.constant(np.full((1,), 6, np.float32)), len(x.shape))
        relu = self.network.add_activation(input=x, type=trt.ActivationType.RELU).get_output(0)
        return self.network.add_elementwise(relu, six, trt.ElementWiseOperation.MIN).get_output(0)

    def add(self, a, b):
        return self.network.add_elementwise(a, b, trt.ElementWiseOperation.SUM).get_output(0)

    def adaptive_pool(self, x):
        layer = self.network.add_pooling_nd(input=x, type=trt.PoolingType.AVERAGE, window_size=tuple(x.shape)[2:])
        layer.stride_nd = tuple(x.shape)[2:]
        return layer.get_output(0)

    def linear(self, x, weight, bias):
        layer = self.network.add_shuffle(x)
        layer.reshape_dims = (0, x.shape[1])
        product = self.network.add_matrix_multiply(layer.get_output(0), trt.MatrixOperation.NONE, self.constant(weight),
                                                   trt.MatrixOperation.TRANSPOSE).get_output(0)
        return self.add(product, self.broadcast(self.constant(bias), 2))

    def softmax(self, x, dim):
        layer = self.network.add_softmax(input=x)
        layer.axes = 1 << dim
        return layer.get_output(0)


class TrtModule:
    """What torch2trt's module does with an engine, over numpy in the place of torch."""

    def __init__(self, engine, input_names, output_names):
        self.engine, self.input_names, self.output_names = engine, input_names, output_names
        self.context = engine.create_execution_context()

    def __call__(self, *inputs):
        bindings, held = [None] * (len(self.input_names) + len(self.output_names)), []
        for i, name in enumerate(self.input_names):
            index = self.engine.get_binding_index(name)
            self.context.set_binding_shape(index, tuple(inputs[i].shape))
            held.append(cuda.to_device(np.ascontiguousarray(inputs[i])))
            bindings[index] = int(held[-1])
        outputs = []
        for name in self.output_names:
            index = self.engine.get_binding_index(name)
            shape = tuple(self.context.get_binding_shape(index))
            dtype = trt.nptype(self.engine.get_binding_dtype(index))
            assert self.engine.get_location(index) == trt.TensorLocation.DEVICE
            outputs.append(np.empty(shape, dtype))
            held.append(cuda.mem_alloc(outputs[-1].nbytes))
            bindings[index] = int(held[-1])
        stream = cuda.Stream()
        self.context.execute_async_v2(bindings, stream.handle)
        for memory, output in zip(held[len(inputs):], outputs):
            cuda.memcpy_dtoh_async(output, memory, stream)
        stream.synchronize()
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def state(self):
        return bytearray(self.engine.serialize())


class DatasetCalibrator(trt.IInt8Calibrator):
    """torch2trt's: derives from the plain base and says its algorithm itself."""

    def __init__(self, batches, algorithm=trt.CalibrationAlgoType.ENTROPY_CALIBRATION_2):
        super(DatasetCalibrator, self).__init__()
        self.batches, self.algorithm, self.count = batches, algorithm, 0
        self.buffer = cuda.mem_alloc(batches[0].nbytes)

    def get_batch(self, *args, **kwargs):
        if self.count == len(self.batches):
            return []
        cuda.memcpy_htod(self.buffer, self.batches[self.count])
        self.count += 1
        return [int(self.buffer)]

    def get_algorithm(self):
        return self.algorithm

    def read_calibration_cache(self, *args, **kwargs):
        return None

    def write_calibration_cache(self, cache, *args, **kwargs):
        pass

    def get_batch_size(self):
        return len(self.batches[0])


class Torch2Trt(CompatCase):
    @classmethod
    def setUpClass(cls):
        warnings.simplefilter("ignore", DeprecationWarning)
        random = np.random.RandomState(11)

        def floats(*shape):
            return (random.randn(*shape) * 0.5).astype(np.float32)

        cls.weights = {"c1": floats(8, 3, 3, 3), "b1": floats(8), "mean": floats(8), "var": np.abs(floats(8)) + 1,
                       "w": floats(8), "b": floats(8), "dw": floats(8, 1, 3, 3), "fc": floats(5, 8), "fb": floats(5)}
        cls.batches = [floats(2, 3, 16, 16) for _ in range(4)]

    def converted(self, network):
        """A small residual network, as converters make it; its layers get names of their own."""
        w, make = self.weights, Converter(network)
        x = network.add_input(name="input_0", shape=(-1, 3, 16, 16), dtype=trt.float32)
        y = make.relu6(make.batch_norm(make.convolution(x, w["c1"], w["b1"], 2, 1, 1), w["mean"], w["var"], w["w"],
                                       w["b"]))
        y = make.add(y, make.convolution(y, w["dw"], trt.Weights(), 1, 1, 8))
        y = make.softmax(make.linear(make.adaptive_pool(y), w["fc"], w["fb"]), 1)
        y.name = "output_0"
        y.dtype = trt.float32
        network.mark_output(y)
        for i in range(network.num_layers):
            network.get_layer(i).name = "%d:%s" % (i, network.get_layer(i).type)

    def expected(self, x):
        """The same in numpy, in double."""
        from test_layers import convolved
        w, along = self.weights, (1, 8, 1, 1)
        y = convolved(x, w["c1"], 2, 1) + w["b1"].reshape(along)
        y = (y - w["mean"].reshape(along)) / np.sqrt(w["var"].reshape(along) + 1e-5)
        y = np.clip(y * w["w"].reshape(along) + w["b"].reshape(along), 0, 6)
        y = y + convolved(y, w["dw"], 1, 1, groups=8)
        y = y.mean(axis=(2, 3)) @ w["fc"].T + w["fb"]
        e = np.exp(y - y.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def module(self, int8=False):
        network = self.builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
        config = self.builder.create_builder_config()
        self.converted(network)
        config.max_workspace_size = 1 << 25
        self.builder.max_batch_size = 4
        profile = self.builder.create_optimization_profile()
        profile.set_shape("input_0", (1, 3, 16, 16), (2, 3, 16, 16), (4, 3, 16, 16))
        config.add_optimization_profile(profile)
        if int8:
            config.set_flag(trt.BuilderFlag.INT8)
            config.int8_calibrator = DatasetCalibrator(self.batches)
            config.set_calibration_profile(profile)
        engine = self.builder.build_engine(network, config)
        self.assertIsNotNone(engine, self.errors())
        return TrtModule(engine, ["input_0"], ["output_0"])

    def test_a_converted_network_as_a_module(self):
        module = self.module()
        for batch in (1, 2, 4, 3):
            x = np.random.RandomState(batch).randn(batch, 3, 16, 16).astype(np.float32)
            np.testing.assert_allclose(module(x), self.expected(x), rtol=1e-3, atol=1e-5)
        with trt.Runtime(trt.Logger()) as runtime:
            again = TrtModule(runtime.deserialize_cuda_engine(module.state()), ["input_0"], ["output_0"])
        np.testing.assert_array_equal(again(x), module(x))

    def test_calibrated_with_the_batches_of_a_dataset(self):
        module = self.module(int8=True)
        precisions = {layer["precision"] for layer in module.engine._engine.layers}
        self.assertIn("int8", precisions)
        x = self.batches[0]
        np.testing.assert_allclose(module(x), self.expected(x), atol=0.1)
        self.assertTrue((module(x).argmax(axis=1) == self.expected(x).argmax(axis=1)).all())


class Polygraphy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            import polygraphy.backend.trt as loaders
        except ImportError:
            raise unittest.SkipTest("polygraphy is not installed")
        from polygraphy.logger import G_LOGGER
        G_LOGGER.module_severity = G_LOGGER.ERROR
        cls.poly = loaders
        cls.folder = tempfile.mkdtemp()
        cls.model = compat_case.conv_model(os.path.join(cls.folder, "m.onnx"), "batch")
        cls.x = np.random.RandomState(4).randn(2, 3, 8, 8).astype(np.float32)
        cls.expected = compat_case.onnxruntime_outputs(cls.model, {"x": cls.x})[0]

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def config(self, **options):
        profile = self.poly.Profile().add("x", min=(1, 3, 8, 8), opt=(2, 3, 8, 8), max=(4, 3, 8, 8))
        return self.poly.CreateConfig(profiles=[profile], **options)

    def inferred(self, build):
        with self.poly.TrtRunner(build) as runner:
            return runner.infer({"x": self.x})["y"]

    def test_lazy_loaders_and_a_runner(self):
        network = self.poly.NetworkFromOnnxPath(self.model)
        found = self.inferred(self.poly.EngineFromNetwork(network, config=self.config()))
        np.testing.assert_allclose(found, self.expected, rtol=1e-4, atol=1e-5)

    def test_its_calibrator_and_an_engine_through_a_file(self):
        from polygraphy.backend.common import BytesFromPath
        cache, path = os.path.join(self.folder, "m.cache"), os.path.join(self.folder, "m.engine")
        calibrator = self.poly.Calibrator(data_loader=({"x": x} for x in (self.x, self.x[::-1])), cache=cache)
        build = self.poly.EngineFromNetwork(self.poly.NetworkFromOnnxPath(self.model),
                                            config=self.config(int8=True, calibrator=calibrator))
        found = self.inferred(self.poly.SaveEngine(build, path))
        np.testing.assert_allclose(found, self.expected, atol=0.2)
        with open(cache) as file:
            self.assertEqual(file.readline(), "TRT-8601-EntropyCalibration2\n")
        again = self.inferred(self.poly.EngineFromBytes(BytesFromPath(path)))
        np.testing.assert_array_equal(again, found)


if __name__ == "__main__":
    unittest.main()
