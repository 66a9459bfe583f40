# SPDX-License-Identifier: Apache-2.0
"""Runtime, engine, context, streams, events: what they answer, and that arrays are used where they are."""
import asyncio
import os
import tempfile
import threading
import unittest
import warnings

import numpy

import python_case as case
import ferry

X = numpy.array([[1, -2, 3, -4]], numpy.float32)
Y = numpy.array([[1, 0, 3, 0]], numpy.float32)


class Running(unittest.TestCase):
    def setUp(self):
        self.engine = case.shared_relu()
        self.context = self.engine.create_context(threads=1)

    def test_run_takes_arrays_in_order_or_by_name_and_sequences(self):
        for given in (X, {"x": X}, [[1, -2, 3, -4]], X.tolist()):
            numpy.testing.assert_array_equal(self.context.run(given)["y"], Y)
        numpy.testing.assert_array_equal(self.context(X)["y"], Y)

    def test_each_run_has_outputs_of_its_own(self):
        first, second = self.context.run(X)["y"], self.context.run(-X)["y"]
        numpy.testing.assert_array_equal(first, Y)
        numpy.testing.assert_array_equal(second, numpy.maximum(-X, 0))

    def test_out_is_written_in_place(self):
        for form in (lambda out: out, lambda out: [out], lambda out: {"y": out}):
            out = numpy.full((1, 4), 7, numpy.float32)
            got = self.context.run(X, out=form(out))["y"]
            self.assertIs(got, out)
            numpy.testing.assert_array_equal(out, Y)

    def test_out_that_does_not_fit_is_refused_not_copied(self):
        readonly = numpy.zeros((1, 4), numpy.float32)
        readonly.flags.writeable = False
        for out in (numpy.zeros((1, 4)), numpy.zeros((1, 5), numpy.float32), readonly,
                    numpy.zeros((1, 8), numpy.float32)[:, ::2], numpy.zeros((2, 4), numpy.float32)[:1].T):
            with self.assertRaises(ferry.InvalidArgumentError):
                self.context.run(X, out=out)
        with self.assertRaises(TypeError):
            self.context.run(X, out=[[0, 0, 0, 0]])

    def test_an_input_that_was_copied_is_said(self):
        wide = numpy.repeat(X, 2, axis=1)[:, ::2]
        with self.assertWarns(ferry.CopyWarning) as caught:
            got = self.context.run(wide)
        self.assertIn("input 'x' is not contiguous", str(caught.warning))
        numpy.testing.assert_array_equal(got["y"], Y)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.context.run(X)

    def test_another_type_is_an_error_that_names_both_and_the_way_out(self):
        with self.assertRaisesRegex(ferry.InvalidArgumentError, r"'x' is float32.*is float64.*astype"):
            self.context.run(X.astype(numpy.float64))
        with self.assertRaises(ferry.InvalidArgumentError):
            self.context.run(X.astype(">f4"))

    def test_another_shape_is_an_error_with_both(self):
        with self.assertRaisesRegex(ferry.InvalidArgumentError, "dimension 1: 5 .* 4 to 4"):
            self.context.run(numpy.zeros((1, 5), numpy.float32))
        numpy.testing.assert_array_equal(self.context.run(X)["y"], Y)

    def test_an_array_changed_in_place_between_runs_is_seen(self):
        x = X.copy()
        self.context.run(x)
        x[0, 0] = 9
        self.assertEqual(self.context.run(x)["y"][0, 0], 9)
        x.shape = (4, 1)
        with self.assertRaises(ferry.InvalidArgumentError):
            self.context.run(x)
        x.shape = (1, 4)
        self.assertEqual(self.context.run(x)["y"][0, 0], 9)

    def test_missing_and_surplus_inputs_are_named(self):
        with self.assertRaisesRegex(ferry.InvalidArgumentError, "2 inputs given, and the engine has 1"):
            self.context.run(X, X)
        with self.assertRaisesRegex(ferry.InvalidArgumentError, "input 'x' is missing"):
            self.context.run({})
        with self.assertRaisesRegex(KeyError, "no input or output is named 'z'"):
            self.context.run({"x": X, "z": X})
        with self.assertRaisesRegex(ferry.InvalidArgumentError, "'y' is an output"):
            self.context.run({"x": X, "y": X})

    def test_bindings_are_described(self):
        x, y = self.engine.bindings
        self.assertEqual((x.name, x.is_input, x.shape, x.dtype), ("x", True, (1, 4), numpy.float32))
        self.assertEqual((y.name, y.is_input), ("y", False))
        self.assertEqual(self.engine.binding("y"), y)
        self.assertEqual(self.engine.binding(-1), y)
        self.assertEqual(str(x), "input 'x': float [1, 4]")

    def test_closed_objects_say_so(self):
        self.context.close()
        self.context.close()
        with self.assertRaisesRegex(ferry.ClosedError, "this Context is closed"):
            self.context.run(X)
        with self.engine.create_context() as context:
            context.run(X)
        self.assertTrue(context.closed)

    def test_memory_is_told_and_capped(self):
        context = self.engine.create_context()
        self.assertEqual(context.memory_bytes, 0)
        self.assertGreater(context.prepare().memory_bytes, 0)
        self.assertEqual(context.memory_bytes, self.engine.memory_bytes)
        with self.assertRaisesRegex(ferry.OutOfMemoryError, "the cap is 1"):
            case.build(case.conv_network()).create_context(memory_limit=1).prepare()

    def test_asyncio_runs_beside_the_loop(self):
        async def several():
            context = case.build(case.conv_network(64)).create_context()
            ticks = 0
            x = numpy.random.RandomState(0).rand(64, 3, 8, 8).astype(numpy.float32)
            runs = asyncio.gather(*[context.run_async(x) for _i in range(50)])
            while not runs.done():
                ticks += 1
                await asyncio.sleep(0)
            return ticks, await runs, context.run(x)

        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        ticks, results, direct = loop.run_until_complete(several())
        self.assertGreater(ticks, 2)
        for result in results:
            numpy.testing.assert_array_equal(result["scores"], direct["scores"])

    def test_asyncio_raises_what_run_raises(self):
        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        with self.assertRaises(ferry.InvalidArgumentError):
            loop.run_until_complete(self.context.run_async(X.astype(numpy.float64)))


class DynamicShapes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        net = ferry.Network()
        x = net.add_input("x", numpy.float32, [-1, 4])
        net.mark_output(net.add("Relu", x, outputs=["y"]))
        net.mark_output(net.add("NonZero", x, outputs=["where"]))
        config = ferry.BuilderConfig(progress=False)
        config.set_shape("x", [1, 4], [2, 4], [8, 4])
        cls.engine = ferry.Builder().build(net, config)

    def test_the_profile_is_told(self):
        x = self.engine.inputs[0]
        self.assertEqual((x.min_shape, x.opt_shape, x.max_shape), ((1, 4), (2, 4), (8, 4)))
        self.assertTrue(x.is_dynamic)

    def test_shapes_follow_the_arrays(self):
        context = self.engine.create_context()
        for n in (3, 1, 8, 2, 2):
            x = numpy.random.RandomState(n).randn(n, 4).astype(numpy.float32)
            got = context.run(x)
            numpy.testing.assert_array_equal(got["y"], numpy.maximum(x, 0))
            self.assertEqual(context.shape("y"), (n, 4))
        with self.assertRaisesRegex(ferry.InvalidArgumentError, "outside the engine's profile"):
            context.run(numpy.zeros((9, 4), numpy.float32))
        self.assertEqual(context.run(numpy.zeros((8, 4), numpy.float32))["y"].shape, (8, 4))

    def test_what_the_data_decides_is_cut_to_its_size_each_time(self):
        context = self.engine.create_context()
        few = numpy.zeros((2, 4), numpy.float32)
        few[1, 2] = 1
        for x in (few, numpy.ones((2, 4), numpy.float32), few, numpy.zeros((2, 4), numpy.float32)):
            numpy.testing.assert_array_equal(context.run(x)["where"], numpy.array(numpy.nonzero(x)))

    def test_what_the_data_decides_is_cut_where_every_input_is_fixed_too(self):
        net = ferry.Network()
        net.mark_output(net.add("NonZero", net.add_input("x", numpy.float32, [2, 3]), outputs=["where"]))
        context = case.build(net).create_context()
        for x in ([[0, 1, 0], [2, 0, 3]], [[1, 1, 1], [1, 1, 1]], [[0, 0, 0], [0, 0, 0]], [[0, 1, 0], [2, 0, 3]]):
            numpy.testing.assert_array_equal(context.run(x)["where"], numpy.array(numpy.nonzero(x)))

    def test_a_rank_that_is_wrong_is_refused(self):
        with self.assertRaises(ferry.InvalidArgumentError):
            self.engine.create_context().set_input_shape("x", [1, 4, 1])


class Files(unittest.TestCase):
    def test_an_engine_goes_through_a_file_and_through_bytes(self):
        engine = case.build(case.conv_network(), metadata={"author": "me"}, name="small")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a b\u00e9.engine")
            engine.save(path)
            loaded = ferry.Engine.load(path, verify=True)
            with open(path, "rb") as file:
                self.assertEqual(file.read(), engine.serialize())
            self.assertIsInstance(loaded.runtime.check(path), dict)
        x = numpy.random.RandomState(1).rand(1, 3, 8, 8).astype(numpy.float32)
        expected = engine.create_context().run(x)["scores"]
        for other in (loaded, ferry.Engine.deserialize(bytearray(engine.serialize())),
                      ferry.Engine.deserialize(memoryview(engine.serialize()), replan=True)):
            numpy.testing.assert_allclose(other.create_context().run(x)["scores"], expected, rtol=1e-5)
            self.assertEqual(other.metadata("author"), "me")
            self.assertEqual(other.name, "small")
        self.assertEqual([layer["name"] for layer in loaded.layers], [layer["name"] for layer in engine.layers])

    def test_texts_are_kept(self):
        engine = case.build(case.relu_network())
        self.assertIsNone(engine.text("labels"))
        engine.set_text("labels", "cat\nd\u00f6g\n")
        self.assertEqual(ferry.Engine.deserialize(engine.serialize()).text("labels"), "cat\nd\u00f6g\n")

    def test_what_is_no_engine_is_refused_with_the_reason(self):
        data = case.shared_relu().serialize()
        for bad in (b"", b"nonsense", data[:100], data[:-1], data[:200] + b"\xff" * 50 + data[250:]):
            with self.assertRaises(ferry.BadEngineError):
                ferry.Engine.deserialize(bad)
        with self.assertRaisesRegex(ferry.FileError, "no/such/file"):
            ferry.Engine.load("no/such/file")
        with self.assertRaises(OSError):
            ferry.load("no/such/file")


class Streams(unittest.TestCase):
    def setUp(self):
        self.runtime = ferry.Runtime("cpu")
        self.stream = self.runtime.create_stream(threads=1)

    def test_copies_go_where_they_should(self):
        for shape, dtype in (((3, 5), numpy.float32), ((7,), numpy.int64), ((), numpy.float64), ((0, 3), numpy.uint8)):
            host = numpy.random.RandomState(0).randint(0, 100, shape).astype(dtype) if shape else dtype(3)
            there = self.runtime.to_device(host)
            self.assertEqual((there.shape, there.dtype), (numpy.shape(host), dtype))
            numpy.testing.assert_array_equal(there.numpy(), host)
        block, out = self.runtime.alloc(16), numpy.zeros(16, numpy.uint8)
        self.stream.copy_to_device(int(block), numpy.arange(16, dtype=numpy.uint8), 16)
        self.stream.copy_from_device(out, block)
        self.stream.wait()
        numpy.testing.assert_array_equal(out, numpy.arange(16))

    def test_a_copy_beyond_an_end_is_refused(self):
        block = self.runtime.alloc(8)
        for to, source, nbytes in ((block, numpy.zeros(16, numpy.uint8), 16), (block, 4096, 9),
                                   (numpy.zeros(4, numpy.uint8), block, 8), (1, 2, None), (block, block, -1)):
            with self.assertRaises(ferry.InvalidArgumentError):
                self.stream.copy(to, source, nbytes)
        self.assertTrue(self.stream.query())

    def test_calls_come_in_order_and_their_exceptions_at_the_wait(self):
        seen = []
        for i in range(5):
            self.stream.call(lambda i=i: seen.append((i, threading.get_ident())))
        self.stream.wait()
        self.assertEqual([i for i, _thread in seen], list(range(5)))
        self.assertNotEqual(seen[0][1], threading.get_ident())

        def fail():
            raise KeyError("in the stream")

        self.stream.call(fail)
        with self.assertRaisesRegex(KeyError, "in the stream"):
            self.stream.wait()
        self.stream.wait()

    def test_a_call_that_would_wait_for_itself_is_refused(self):
        for action in (self.stream.wait, lambda: self.stream.call(print), self.stream.record,
                       lambda: self.stream.copy(self.runtime.alloc(1), self.runtime.alloc(1))):
            self.stream.call(action)
            with self.assertRaisesRegex(ferry.InvalidArgumentError, "wait for itself"):
                self.stream.wait()

    def test_events_order_streams_and_measure(self):
        gate, seen, other = threading.Event(), [], self.runtime.create_stream(threads=1)
        begin = self.stream.record()
        self.stream.call(lambda: (gate.wait(10), seen.append("first")))
        event = self.stream.record()
        other.wait_event(event)
        other.call(lambda: seen.append("second"))
        self.assertFalse(event.query())
        self.assertFalse(other.query())
        gate.set()
        other.wait()
        self.assertEqual(seen, ["first", "second"])
        event.wait()
        self.assertTrue(event.query())
        self.assertGreaterEqual(begin.elapsed_ms(event), 0)
        self.assertTrue(self.runtime.create_event().query())

    def test_queued_arrays_live_until_they_are_used(self):
        out = numpy.zeros((50, 1 << 16), numpy.uint8)
        gate = threading.Event()
        self.stream.call(lambda: gate.wait(10))
        for i in range(50):
            self.stream.copy(out[i], numpy.full(1 << 16, i, numpy.uint8))  # nobody else holds the source
        gate.set()
        self.stream.wait()
        self.assertTrue((out == numpy.arange(50)[:, None]).all())


class Devices(unittest.TestCase):
    def test_devices_are_listed_and_named(self):
        names = {d.name: d for d in ferry.devices()}
        self.assertTrue(names["cpu"].available)
        self.assertGreater(names["cpu"].memory_bytes, 0)
        runtime = ferry.Runtime("cpu")
        self.assertEqual(runtime.device, "cpu")
        self.assertTrue(runtime.host_memory)
        self.assertIsInstance(runtime.fast_precisions, ferry.Precision)
        self.assertEqual(runtime.memory, {})
        found = ferry.diagnose()
        self.assertIn({"part": "PNG", "state": "works", "text": "pictures are read and written", "remedy": None},
                      found["findings"])
        self.assertIsInstance(found["works"], bool)

    def test_a_device_that_is_not_there_is_an_ordinary_answer(self):
        missing = [d.name for d in ferry.devices() if not d.available]
        if not missing:
            self.skipTest("this machine has every device")
        with self.assertRaises(ferry.UnavailableError):
            ferry.Runtime(missing[0])
        said = []
        runtime = ferry.Runtime(missing[0], fallback=True, logger=lambda severity, text: said.append(text))
        serves = next(d.name for d in ferry.devices() if d.available)  # a DLA's layers run on a GPU where there is one
        self.assertEqual(runtime.device.partition(":")[0], serves.partition(":")[0])
        self.assertRegex(said[0], "run on the .* instead")
        with self.assertRaises(ferry.InvalidArgumentError):
            ferry.Runtime("toaster")


if __name__ == "__main__":
    unittest.main()
