# SPDX-License-Identifier: Apache-2.0
"""What is there and what is not: names, warnings for removed ones, errors for absent ones, types, logger."""
import io
import re
import subprocess
import sys
import unittest
import warnings
from contextlib import redirect_stdout

import compat_case
from compat_case import CompatCase, cuda, np, python_case, trt

import pycuda


class Names(unittest.TestCase):
    def absent(self, text, function, *words):
        with self.assertRaises(AttributeError) as raised:
            function(*words)
        self.assertIn(text + " is not offered by ferry.compat: ", str(raised.exception))

    def test_absent_names_of_modules_say_what_to_do(self):
        self.absent("tensorrt.UffParser", getattr, trt, "UffParser")
        self.absent("tensorrt.something", getattr, trt, "something")
        self.absent("pycuda.driver.Array", getattr, cuda, "Array")
        self.absent("pycuda.gpuarray", getattr, pycuda, "gpuarray")
        with self.assertRaisesRegex(AttributeError, "convert the network to ONNX"):
            trt.CaffeParser
        self.assertFalse(hasattr(trt, "Refitter"))

    def test_absent_modules_are_import_errors(self):
        for name in ("pycuda.gpuarray", "pycuda.compiler", "tensorrt.plugin", "cuda.nvrtc"):
            with self.assertRaisesRegex(ImportError, name + " is not offered by ferry.compat"):
                __import__(name)

    def test_absent_attributes_of_objects_when_read_and_when_set(self):
        log = compat_case.Listener()
        builder = trt.Builder(log)
        config = builder.create_builder_config()
        self.absent("tensorrt.Builder.build_cuda", getattr, builder, "build_cuda")
        self.absent("tensorrt.IBuilderConfig.workspace", setattr, config, "workspace", 1)
        self.absent("tensorrt.INetworkDefinition.add_loop", getattr, builder.create_network(), "add_loop")
        self.absent("tensorrt.ILogger.colour", getattr, log, "colour")
        log.colour = "green"  # a class of the script's own has what it likes
        self.assertEqual(log.colour, "green")

    def test_absent_members_of_enumerations(self):
        with self.assertRaisesRegex(AttributeError, "tensorrt.BuilderFlag.FP12 is not offered.*members are FP16, INT8"):
            trt.BuilderFlag.FP12

    def test_what_has_a_name_but_is_not_done(self):
        builder = trt.Builder(compat_case.Listener())
        for owner in (builder, trt.Runtime(compat_case.Listener())):
            self.assertIsNone(owner.error_recorder)
            owner.error_recorder = None
            with self.assertRaisesRegex(NotImplementedError, "error recorder is not offered.*from tensorrt.ILogger"):
                owner.error_recorder = object()
        config = builder.create_builder_config()
        config.engine_capability = trt.EngineCapability.DEFAULT
        self.assertRaises(NotImplementedError, setattr, config, "engine_capability", trt.EngineCapability.SAFETY)
        self.assertRaises(NotImplementedError, setattr, config, "algorithm_selector", object())
        profile = builder.create_optimization_profile()
        self.assertRaises(NotImplementedError, profile.set_shape_input, "x", (1,), (1,), (1,))

    def test_plugins_are_none(self):
        self.assertIs(trt.init_libnvinfer_plugins(trt.Logger(), ""), True)
        registry = trt.get_plugin_registry()
        self.assertEqual(registry.plugin_creator_list, [])
        self.assertIsNone(registry.get_plugin_creator("GridAnchor_TRT", "1", ""))
        self.assertRaises(NotImplementedError, registry.register_creator, object())

    def test_all_public_names_have_documentation(self):
        for name in trt.__all__:
            value = getattr(trt, name)
            self.assertTrue((value.__doc__ or "").strip(), name)
            if isinstance(value, type) and not issubclass(value, compat_case.ferry.compat._offered.Enum):
                for attribute, member in vars(value).items():
                    if not attribute.startswith("_") and (callable(member) or isinstance(member, property)) and \
                            type(member).__name__ != "removed_property":
                        self.assertTrue((member.__doc__ or "").strip(), "%s.%s" % (name, attribute))


class Removed(CompatCase):
    def warned(self, text, function, *words):
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            result = function(*words)
        messages = [str(w.message) for w in found if w.category is DeprecationWarning]
        self.assertEqual(len(messages), 1, messages)
        self.assertIn(text, messages[0])
        return result

    def test_the_new_name_is_told(self):
        config = self.builder.create_builder_config()
        self.warned("use set_memory_pool_limit(tensorrt.MemoryPoolType.WORKSPACE, bytes)",
                    lambda: setattr(config, "max_workspace_size", 1 << 20))
        self.warned("IBuilderConfig.max_workspace_size is absent from TensorRT releases after 9.3",
                    lambda: config.max_workspace_size)
        self.warned("optimization profile", lambda: setattr(self.builder, "max_batch_size", 8))
        self.warned("Q/DQ", lambda: setattr(config, "int8_calibrator", None))
        network = self.network()
        x = network.add_input("x", trt.float32, (1, 3, 4, 4))
        layer = self.warned("use add_pooling_nd()", network.add_pooling, x, trt.PoolingType.MAX, (2, 2))
        self.warned("use stride_nd", lambda: setattr(layer, "stride", (2, 2)))
        self.assertEqual(layer.stride_nd, (2, 2))
        network.mark_output(layer.get_output(0))
        engine = self.warned("use build_serialized_network()", self.builder.build_engine, network, config)
        for text, function in (("use num_io_tensors", lambda: engine.num_bindings),
                               ("use get_tensor_shape(name)", lambda: engine.get_binding_shape(0)),
                               ("tensorrt.TensorIOMode.INPUT", lambda: engine.binding_is_input(0)),
                               ("use get_tensor_profile_shape", lambda: engine.get_profile_shape(0, 0))):
            self.warned(text, function)
        context = engine.create_execution_context()
        memory = [cuda.mem_alloc(192), cuda.mem_alloc(48)]
        self.warned("execute_async_v3(stream_handle)", context.execute_async_v2, memory, 0)

    def test_the_warning_is_at_the_scripts_line(self):
        code = ("import warnings, ferry.compat.install, tensorrt as trt; warnings.simplefilter('always')\n"
                "b = trt.Builder(trt.Logger())\n"
                "b.max_batch_size = 1\n"
                "c = b.create_builder_config()\n"
                "c.max_workspace_size\n"
                "n = b.create_network(1)\n"
                "x = n.add_input('x', trt.float32, (1, 1, 4, 4))\n"
                "p = n.add_pooling(x, trt.PoolingType.MAX, (2, 2))\n"
                "p.stride = (2, 2)\n"
                "p.stride\n")
        _out, err = python_case.run_python(code)
        self.assertEqual([int(n) for n in re.findall(r":(\d+): DeprecationWarning", err)], [3, 5, 8, 9, 10])

    def test_what_is_not_removed_does_not_warn(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            network = self.network()
            x = network.add_input("x", trt.float32, (1, 4))
            network.mark_output(network.add_activation(x, trt.ActivationType.RELU).get_output(0))
            config = self.builder.create_builder_config()
            config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, 1 << 20)
            plan = self.builder.build_serialized_network(network, config)
            engine = trt.Runtime(self.log).deserialize_cuda_engine(plan)
            context = engine.create_execution_context()
            memory = [cuda.mem_alloc(16), cuda.mem_alloc(16)]
            for i in range(engine.num_io_tensors):
                context.set_tensor_address(engine.get_tensor_name(i), int(memory[i]))
            stream = cuda.Stream()
            self.assertTrue(context.execute_async_v3(stream.handle))


class Types(unittest.TestCase):
    def test_version(self):
        self.assertEqual(trt.__version__, "8.6.1")

    def test_enumerations_are_pybinds(self):
        self.assertEqual((str(trt.float32), repr(trt.int8)), ("DataType.FLOAT", "<DataType.INT8: 2>"))
        self.assertEqual(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH), 1)
        self.assertEqual(trt.BuilderFlag.INT8.name, "INT8")
        self.assertEqual(trt.DataType(1), trt.float16)
        self.assertNotEqual(trt.DataType.FLOAT, trt.DeviceType.GPU)
        self.assertIs(trt.EngineCapability.DEFAULT, trt.EngineCapability.STANDARD)
        self.assertIn("WARNING", trt.Logger.Severity.__members__)
        self.assertTrue(trt.Logger.ERROR < trt.Logger.WARNING <= 2)
        self.assertEqual({trt.float32: "a"}[trt.DataType.FLOAT], "a")

    def test_numpy_types_and_volumes(self):
        self.assertEqual([trt.nptype(t) for t in (trt.float32, trt.float16, trt.int8, trt.int32, trt.bool, trt.uint8)],
                         [np.float32, np.float16, np.int8, np.int32, np.bool_, np.uint8])
        for odd in (trt.bfloat16, trt.fp8, trt.int4):
            self.assertRaises(TypeError, trt.nptype, odd)
        self.assertEqual([t.itemsize for t in (trt.float32, trt.bfloat16, trt.fp8, trt.int4)], [4, 2, 1, 0.5])
        self.assertEqual((trt.volume((2, 3)), trt.volume(()), trt.volume(trt.Dims([-1, 3]))), (6, 1, -3))

    def test_dims(self):
        dims = trt.Dims([1, 3, 224, 224])
        self.assertEqual((len(dims), dims[1], dims[-1], dims[1:], str(dims)), (4, 3, 224, (3, 224, 224),
                                                                               "(1, 3, 224, 224)"))
        self.assertTrue(dims == (1, 3, 224, 224) == tuple(dims) and dims == [1, 3, 224, 224] and dims != (1, 3))
        dims[0] = 8
        dims[2:] = (5, 6)
        self.assertEqual((list(dims), np.zeros(dims).shape), ([8, 3, 5, 6], (8, 3, 5, 6)))
        self.assertRaises(ValueError, trt.Dims, range(9))
        self.assertRaises(ValueError, trt.Dims4, (1, 2))
        size = trt.DimsHW(4, 5)
        size.w = 7
        self.assertEqual((size.h, size.w, size), (4, 7, (4, 7)))

    def test_weights(self):
        weights = trt.Weights(np.arange(6, dtype=np.float16).reshape(2, 3))
        self.assertEqual((weights.dtype, weights.size, weights.nbytes, len(weights)), (trt.float16, 6, 12, 6))
        self.assertEqual((len(trt.Weights()), trt.Weights(trt.int32).dtype), (0, trt.int32))
        np.testing.assert_array_equal(weights.numpy(), np.asarray(weights))


class Loggers(unittest.TestCase):
    def test_the_format_on_stdout(self):
        logger = trt.Logger(trt.Logger.INFO)
        with redirect_stdout(io.StringIO()) as out:
            for severity in trt.Logger.Severity:
                logger.log(severity, "text")
            logger.min_severity = trt.Logger.VERBOSE
            logger.log(trt.Logger.VERBOSE, "more")
        lines = out.getvalue().splitlines()
        self.assertEqual([re.sub(r"^\[\d\d/\d\d/\d{4}-\d\d:\d\d:\d\d\] ", "", line) for line in lines],
                         ["[TRT] [F] text", "[TRT] [E] text", "[TRT] [W] text", "[TRT] [I] text", "[TRT] [V] more"])

    def test_what_is_no_logger(self):
        self.assertRaisesRegex(TypeError, "tensorrt.ILogger", trt.Builder, None)
        self.assertRaises(NotImplementedError, trt.ILogger().log, trt.Logger.ERROR, "x")

    def test_what_a_logger_raises_comes_out(self):
        class Raises(compat_case.Listener):
            def log(self, severity, msg):
                raise KeyError(msg)

        parser = trt.OnnxParser(trt.Builder(compat_case.Listener()).create_network(1), Raises())
        self.assertRaises(KeyError, parser.parse, b"no model")


class Installing(unittest.TestCase):
    def test_dropped_names_are_kept_alive(self):
        from PIL import Image, ImageDraw, ImageFont
        self.assertIs(Image.ANTIALIAS, Image.LANCZOS)
        self.assertIs(np.int, int)
        self.assertIs(np.float, float)
        self.assertIs(np.object, object)
        self.assertEqual(np.zeros(2, np.bool).dtype, np.bool_)
        draw = ImageDraw.Draw(Image.new("RGB", (64, 64)))
        width, height = draw.textsize("label", font=ImageFont.load_default())
        self.assertTrue(width > 4 and height > 4)
        self.assertEqual(np.asfarray([1]).dtype, np.float64)

    def test_uninstalling_restores_all(self):
        python_case.run_python(
            "import sys, types, numpy, ctypes\n"
            "sys.modules['tensorrt'] = original = types.ModuleType('tensorrt')\n"
            "cdll, had = ctypes.CDLL, 'int' in vars(numpy)\n"
            "import warnings\n"
            "with warnings.catch_warnings(record=True) as found:\n"
            "    warnings.simplefilter('always')\n"
            "    import ferry.compat.install\n"
            "assert 'tensorrt had been imported before' in str(found[-1].message), found\n"
            "import tensorrt, pycuda.driver\n"
            "assert tensorrt is not original and tensorrt.Builder\n"
            "ferry.compat.uninstall()\n"
            "import tensorrt as again\n"
            "assert again is original and ctypes.CDLL is cdll and ('int' in vars(numpy)) == had\n"
            "assert 'pycuda' not in sys.modules\n"
            "ferry.compat.uninstall()\n")

    def test_nothing_is_changed_by_importing_the_package_alone(self):
        python_case.run_python("import sys, numpy, ferry.compat\n"
                               "assert 'tensorrt' not in sys.modules\n"
                               "try:\n    import tensorrt\nexcept ImportError: pass\n"
                               "else: assert 'ferry' not in tensorrt.__name__\n")

    def test_a_module_is_run_as_one(self):
        done = subprocess.run([sys.executable, "-m", "ferry.compat", "-m", "json.tool", "--help"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=python_case.environment())
        self.assertIn(b"json", done.stdout)
        self.assertEqual(done.returncode, 0)


if __name__ == "__main__":
    unittest.main()
