# SPDX-License-Identifier: Apache-2.0
"""Engines and contexts: bindings by index and tensors by name, shapes, runs, allocators, profilers, failures."""
import gc
import json
import threading
import unittest
import warnings

import compat_case
from compat_case import CompatCase, cuda, np, python_case, run, trt


class EngineCase(CompatCase):
    @classmethod
    def setUpClass(cls):
        warnings.simplefilter("ignore", DeprecationWarning)

    def engine(self, profiles=((1, 2, 4),), name="small"):
        """x [batch, 6] -> y = 2 x + 1 [batch, 6], and z, the largest of each row and its place."""
        network = self.network()
        network.name = name
        x = network.add_input("x", trt.float32, (-1, 6))
        two = network.add_constant((1, 6), np.full(6, 2, np.float32)).get_output(0)
        one = network.add_constant((1, 6), np.ones(6, np.float32)).get_output(0)
        y = network.add_elementwise(x, two, trt.ElementWiseOperation.PROD).get_output(0)
        y = network.add_elementwise(y, one, trt.ElementWiseOperation.SUM).get_output(0)
        top = network.add_topk(y, trt.TopKOperation.MAX, 1, 1 << 1)
        for tensor, title in ((y, "y"), (top.get_output(1), "place")):
            tensor.name = title
            network.mark_output(tensor)
        config = self.builder.create_builder_config()
        for sizes in profiles:
            profile = self.builder.create_optimization_profile()
            profile.set_shape("x", *[(n, 6) for n in sizes])
            config.add_optimization_profile(profile)
        return self.build(network, config)


class Looking(EngineCase):
    def test_tensors_by_name(self):
        engine = self.engine()
        self.assertEqual(engine.num_io_tensors, 3)
        self.assertEqual([engine.get_tensor_name(i) for i in range(3)], ["x", "y", "place"])
        self.assertEqual(engine.get_tensor_mode("x"), trt.TensorIOMode.INPUT)
        self.assertEqual(engine.get_tensor_mode("y"), trt.TensorIOMode.OUTPUT)
        self.assertEqual(engine.get_tensor_mode("nothing"), trt.TensorIOMode.NONE)
        self.assertEqual(engine.get_tensor_shape("x"), (-1, 6))
        self.assertEqual(engine.get_tensor_dtype("place"), trt.int32)
        self.assertEqual(engine.get_tensor_profile_shape("x", 0), [(1, 6), (2, 6), (4, 6)])
        self.assertEqual(engine.get_tensor_format("x"), trt.TensorFormat.LINEAR)
        self.assertEqual(engine.get_tensor_location("x"), trt.TensorLocation.DEVICE)
        self.assertRaisesRegex(ValueError, "tensor 'q'.*there are 'x', 'y', 'place'", engine.get_tensor_shape, "q")

    def test_bindings_by_index(self):
        engine = self.engine()
        self.assertEqual((len(engine), engine.num_bindings, list(engine)), (3, 3, ["x", "y", "place"]))
        self.assertEqual((engine[0], engine[-1], engine["place"], engine["q"]), ("x", "place", 2, -1))
        self.assertEqual((engine.get_binding_name(1), engine.get_binding_index("y")), ("y", 1))
        for which in (0, "x"):
            self.assertTrue(engine.binding_is_input(which))
            self.assertEqual(engine.get_binding_shape(which), (-1, 6))
            self.assertEqual(engine.get_binding_dtype(which), trt.float32)
        self.assertEqual(engine.get_profile_shape(0, 0), [(1, 6), (2, 6), (4, 6)])
        self.assertEqual(engine.get_profile_shape(profile_index=0, binding="x"), [(1, 6), (2, 6), (4, 6)])
        self.assertEqual((engine.max_batch_size, engine.has_implicit_batch_dimension), (1, False))
        self.assertRaises(IndexError, lambda: engine[3])
        self.assertRaises(IndexError, engine.get_binding_shape, 3)

    def test_what_it_is_made_of(self):
        engine = self.engine()
        self.assertEqual(engine.name, "small")
        self.assertGreater(engine.device_memory_size, 0)
        inspector = engine.create_engine_inspector()
        text = json.loads(inspector.get_engine_information(trt.LayerInformationFormat.JSON))
        self.assertEqual(text["Bindings"], ["x", "y", "place"])
        self.assertEqual(len(text["Layers"]), engine.num_layers)
        for i, layer in enumerate(text["Layers"]):
            self.assertIn(layer["Name"], inspector.get_layer_information(i, trt.LayerInformationFormat.ONELINE))
            self.assertEqual(json.loads(inspector.get_layer_information(i, trt.LayerInformationFormat.JSON)), layer)

    def test_through_a_file(self):
        engine = self.engine(profiles=((1, 1, 1), (2, 3, 4)))
        plan = engine.serialize()
        self.assertEqual((plan.nbytes, len(memoryview(plan))), (len(bytes(plan)), len(plan)))
        runtime = trt.Runtime(self.log)
        for data in (plan, bytes(plan), bytearray(plan), memoryview(plan), np.frombuffer(plan, np.uint8)):
            again = runtime.deserialize_cuda_engine(data)
            self.assertEqual(list(again), list(engine))
        self.assertEqual(again.get_tensor_profile_shape("x", 1), [(2, 6), (3, 6), (4, 6)])

    def test_plans_that_are_none(self):
        runtime = trt.Runtime(self.log)
        self.assertIsNone(runtime.deserialize_cuda_engine(b"ptrt and so on"))
        self.assertIn("a plan that NVIDIA's TensorRT has written", self.errors())
        plan = bytearray(self.engine().serialize())
        self.assertIsNone(runtime.deserialize_cuda_engine(plan[:len(plan) // 2]))
        self.assertEqual(self.errors().count("NVIDIA"), 1)


class Running(EngineCase):
    def setUp(self):
        super().setUp()
        self.x = np.random.RandomState(2).rand(3, 6).astype(np.float32)
        self.memory = [cuda.to_device(self.x), cuda.mem_alloc(3 * 6 * 4), cuda.mem_alloc(3 * 4)]
        self.addresses = [int(m) for m in self.memory]

    def context(self, **options):
        context = self.engine(**options).create_execution_context()
        context.set_input_shape("x", (3, 6)) if not options else None
        return context

    def fetched(self):
        y, place = np.empty((3, 6), np.float32), np.empty((3, 1), np.int32)
        cuda.memcpy_dtoh(y, self.memory[1])
        cuda.memcpy_dtoh(place, self.memory[2])
        return y, place

    def assertRan(self):
        y, place = self.fetched()
        np.testing.assert_allclose(y, 2 * self.x + 1, rtol=1e-6)
        self.assertEqual(place.ravel().tolist(), self.x.argmax(axis=1).tolist())
        cuda.memset_d8(self.memory[1], 0, y.nbytes)

    def test_the_ways_to_run(self):
        context, stream = self.context(), cuda.Stream()
        ways = [lambda: context.execute_v2(self.addresses), lambda: context.execute_v2(self.memory),
                lambda: context.execute_async_v2(self.addresses, stream.handle),
                lambda: context.execute_async_v2(bindings=self.addresses, stream_handle=0),
                lambda: context.execute(1, self.addresses), lambda: context.execute(3, self.addresses),
                lambda: context.execute_async(batch_size=1, bindings=self.addresses, stream_handle=stream.handle)]
        for way in ways:
            self.assertIs(way(), True, self.errors())
            self.assertRan()
        for name, address in zip(("x", "y", "place"), self.memory):
            self.assertTrue(context.set_tensor_address(name, int(address)))
        self.assertEqual(context.get_tensor_address("y"), self.addresses[1])
        self.assertTrue(context.execute_async_v3(stream.handle))
        stream.synchronize()
        self.assertRan()
        self.assertTrue(context.execute_async_v3(stream_handle=stream.handle))
        self.assertRan()

    def test_runs_on_several_streams_follow_each_other(self):
        context = self.context()
        streams = [cuda.Stream(), cuda.Stream()]
        for i in range(20):
            self.assertTrue(context.execute_async_v2(self.addresses, streams[i % 2].handle))
        cuda.Context.synchronize()
        self.assertRan()

    def test_shapes_have_to_be_chosen_and_fit_the_profile(self):
        context = self.engine().create_execution_context()
        self.assertEqual(context.get_tensor_shape("x"), (-1, 6))
        self.assertEqual(context.get_tensor_shape("y"), (-1, 6))
        self.assertFalse(context.all_binding_shapes_specified)
        self.assertEqual(context.infer_shapes(), ["x"])
        self.assertFalse(context.execute_v2(self.addresses))
        self.assertIn("no shape was chosen for input 'x'", self.errors())
        self.assertFalse(context.set_input_shape("x", (5, 6)))
        self.assertFalse(context.set_input_shape("y", (3, 6)))
        self.assertFalse(context.set_binding_shape(0, (3, 7)))
        self.assertIn("not within the profile's (1, 6) to (4, 6)", self.errors())
        self.assertTrue(context.set_binding_shape(0, (3, 6)))
        self.assertTrue(context.all_binding_shapes_specified)
        self.assertEqual(context.get_binding_shape(2), (3, 1))
        self.assertEqual(context.get_tensor_strides("y"), (6, 1))
        self.assertEqual(context.get_max_output_size("y"), 72)
        self.assertTrue(context.execute_v2(self.addresses))
        self.assertRan()

    def test_several_profiles_have_bindings_of_their_own(self):
        engine = self.engine(profiles=((1, 1, 1), (2, 3, 4)))
        self.assertEqual(engine.num_optimization_profiles, 2)
        self.assertEqual(list(engine)[3:], ["x [profile 1]", "y [profile 1]", "place [profile 1]"])
        self.assertEqual(engine["y [profile 1]"], 4)
        self.assertTrue(engine.binding_is_input(3))
        context = engine.create_execution_context()
        self.assertFalse(context.set_binding_shape(0, (3, 6)))
        context.active_optimization_profile = 1
        self.assertTrue(context.set_binding_shape(3, (3, 6)))
        self.assertTrue(context.execute_v2([0, 0, 0] + self.addresses))
        self.assertRan()
        self.assertTrue(context.set_optimization_profile_async(0, 0))
        self.assertFalse(context.set_optimization_profile_async(2, 0))
        self.assertRaises(ValueError, setattr, context, "active_optimization_profile", 2)

    def test_what_can_not_run_is_false_with_the_reason(self):
        context = self.context()
        self.assertFalse(context.execute_v2([self.addresses[0], 0, self.addresses[2]]))
        self.assertIn("output 'y'", self.errors())
        self.assertFalse(context.execute_v2(self.addresses[:2]))
        self.assertIn("2 bindings are given, and the engine has 3", self.errors())
        small = cuda.mem_alloc(70)
        self.assertFalse(context.execute_v2([self.addresses[0], small, self.addresses[2]]))
        self.assertRegex(self.errors(), r"72 bytes .* are needed .* has 70 left")
        self.assertFalse(context.execute_async_v2(self.addresses, 4711))
        self.assertIn("stream handle 0x1267", self.errors())
        self.assertFalse(context.execute(2, self.addresses))
        self.assertIn("batch_size is 2", self.errors())
        self.assertFalse(context.set_tensor_address("q", 1))

    def test_an_allocator_of_outputs(self):
        test = self

        class Allocator(trt.IOutputAllocator):
            def __init__(self):
                trt.IOutputAllocator.__init__(self)
                self.asked, self.shapes = [], {}

            def reallocate_output(self, tensor_name, memory, size, alignment):
                self.asked.append((tensor_name, size))
                return test.addresses[1]

            def notify_shape(self, tensor_name, shape):
                self.shapes[tensor_name] = tuple(shape)

        context, allocator = self.context(), Allocator()
        context.set_tensor_address("x", self.addresses[0])
        context.set_tensor_address("place", self.addresses[2])
        context.set_output_allocator("y", allocator)
        self.assertIs(context.get_output_allocator("y"), allocator)
        self.assertTrue(context.execute_async_v3(0))
        self.assertRan()
        self.assertEqual((allocator.asked, allocator.shapes), ([("y", 72)], {"y": (3, 6)}))

    def test_a_profiler_gets_each_layer(self):
        class Times(trt.IProfiler):
            def __init__(self):
                trt.IProfiler.__init__(self)
                self.times = {}

            def report_layer_time(self, layer_name, ms):
                self.times[layer_name] = ms

        context = self.context()
        context.profiler = times = Times()
        context.execute_v2(self.addresses)
        self.assertTrue(context.report_to_profiler())
        self.assertTrue(times.times and all(ms >= 0 for ms in times.times.values()))
        self.assertIs(context.profiler, times)
        times.times.clear()
        context.profiler = None
        context.execute_v2(self.addresses)
        self.assertFalse(context.report_to_profiler() or times.times)
        self.assertRaises(TypeError, setattr, context, "profiler", 5)

    def test_objects_dropped_in_any_order(self):
        engine = self.engine()
        with engine, engine.create_execution_context() as context:
            context.set_input_shape("x", (3, 6))
        stream = cuda.Stream()
        handle = stream.handle
        self.assertTrue(context.execute_async_v2(self.addresses, handle))
        del engine, stream
        self.builder = self.log = None
        gc.collect()
        cuda.Context.synchronize()
        self.log = compat_case.Listener()
        self.assertRan()
        self.assertTrue(context.execute_v2(self.addresses))
        self.assertRan()

    def test_memory_freed_while_it_is_bound(self):
        context = self.context()
        self.assertTrue(context.execute_async_v2(self.addresses, 0))
        self.memory[0].free()
        self.assertRan()

    def test_contexts_in_threads(self):
        engine, failures = self.engine(), []

        def work():
            context = engine.create_execution_context()
            stream = cuda.Stream()
            context.set_input_shape("x", (3, 6))
            memory = [cuda.to_device(self.x), cuda.mem_alloc(72), cuda.mem_alloc(12)]
            y = cuda.pagelocked_empty((3, 6), np.float32)
            for _ in range(50):
                ran = context.execute_async_v2([int(m) for m in memory], stream.handle)
                cuda.memcpy_dtoh_async(y, memory[1], stream)
                stream.synchronize()
                if not ran or not np.allclose(y, 2 * self.x + 1):
                    failures.append((ran, y))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])


class ForeignMemory(EngineCase):
    def test_memory_of_other_libraries_is_taken_on_trust(self):
        if not python_case.ferry.default_runtime().host_memory:
            self.skipTest("numpy's memory is not the device's")
        x, y, place = np.ones((2, 6), np.float32), np.zeros((2, 6), np.float32), np.zeros((2, 1), np.int32)
        context = self.engine().create_execution_context()
        context.set_input_shape("x", (2, 6))
        self.assertTrue(context.execute_v2([a.ctypes.data for a in (x, y, place)]))
        self.assertTrue((y == 3).all())

    def test_data_decides_the_size(self):
        """NonZero of a parsed model: an allocator learns the true shape after the run."""
        compat_case.needed("onnx")
        from onnx import TensorProto, helper
        value = helper.make_tensor_value_info
        graph = helper.make_graph([helper.make_node("NonZero", ["x"], ["at"], name="nonzero")], "data",
                                  [value("x", TensorProto.FLOAT, [2, 3])], [value("at", TensorProto.INT64, [2, "n"])])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        network = self.network()
        self.assertTrue(trt.OnnxParser(network, self.log).parse(model.SerializeToString()), self.errors())
        engine = self.build(network)
        self.assertEqual(engine.get_tensor_dtype("at"), trt.int64)
        shapes, memory = [], cuda.mem_alloc(2 * 6 * 8)

        class Allocator(trt.IOutputAllocator):
            def reallocate_output(self, tensor_name, address, size, alignment):
                return int(memory)

            def notify_shape(self, tensor_name, shape):
                shapes.append(tuple(shape))

        context = engine.create_execution_context()
        x = cuda.to_device(np.array([[0, 1, 0], [2, 0, 3]], np.float32))
        context.set_tensor_address("x", int(x))
        context.set_output_allocator("at", Allocator())
        self.assertTrue(context.execute_async_v3(0), self.errors())
        self.assertEqual(shapes, [(2, 3)])
        np.testing.assert_array_equal(cuda.from_device(memory, (2, 3), np.int64), [[0, 1, 1], [1, 0, 2]])
        self.assertEqual(run(engine, np.zeros((2, 3), np.float32))[0].shape[0], 2)


if __name__ == "__main__":
    unittest.main()
