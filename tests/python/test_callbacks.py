# SPDX-License-Identifier: Apache-2.0
"""Exceptions in callbacks reach the caller with their traceback, from each callback; Ctrl-C stops a build."""
import os
import signal
import threading
import traceback
import unittest

import numpy

import python_case as case
import ferry

X = numpy.array([[1, -2, 3, -4]], numpy.float32)


class Mine(Exception):
    """Nobody else raises this."""


def fail(*_args):
    raise Mine("on purpose")


class Failing(ferry.Calibrator):
    """Fails in the method that is named."""

    def __init__(self, where):
        self.left = 3
        setattr(self, where, fail)

    def get_batch(self, names):
        self.left -= 1
        return {"x": X} if self.left >= 0 else None


class Exceptions(unittest.TestCase):
    def assert_mine(self, function, *args, **options):
        try:
            function(*args, **options)
        except Mine as caught:
            frames = traceback.extract_tb(caught.__traceback__)
            self.assertEqual(frames[-1][2], "fail", "the traceback does not lead to the line that failed")
        else:
            self.fail("the exception did not reach the caller")

    def test_of_a_calibrator(self):
        for where in ("get_batch", "get_batch_size", "read_calibration_cache", "write_calibration_cache",
                      "get_algorithm"):
            with self.subTest(where):
                self.assert_mine(case.build, case.relu_network(), int8=True, calibration=Failing(where))

    def test_of_an_iterable(self):
        def samples():
            yield X
            fail()

        self.assert_mine(case.build, case.relu_network(), int8=True, calibration=samples())

    def test_of_progress(self):
        self.assert_mine(case.build, case.relu_network(), progress=fail)

    def test_of_a_logger(self):
        class Log(ferry.Logger):
            def log(self, severity, text):
                fail()

        noisy = Log(ferry.Severity.VERBOSE)
        self.assert_mine(case.build, case.conv_network(), logger=noisy)
        runtime = ferry.Runtime("cpu", logger=noisy)
        self.assert_mine(ferry.Builder(runtime).build, case.conv_network(), progress=False)
        self.assert_mine(ferry.Engine.deserialize, case.shared_relu().serialize(), replan=True, runtime=runtime)

    def test_of_a_profiler_and_an_observer(self):
        context = case.shared_relu().create_context()
        context.set_profiler(fail)
        self.assert_mine(context.run, X)
        context.set_profiler(None)
        context.set_observer(fail)
        self.assert_mine(context.run, X)
        context.set_observer(None)
        numpy.testing.assert_array_equal(context.run(X)["y"], numpy.maximum(X, 0))

    def test_of_an_observer_of_a_queued_run(self):
        engine = case.shared_relu()
        context, stream = engine.create_context(), engine.runtime.create_stream()
        context.set_observer(fail)
        context.bind("x", engine.runtime.to_device(X))
        context.bind("y", engine.runtime.empty((1, 4)))
        context.enqueue(stream)
        self.assert_mine(stream.wait)
        context.set_observer(None)
        context.enqueue(stream)
        stream.wait()

    def test_nothing_is_left_behind(self):
        for _i in range(3):
            self.assert_mine(case.build, case.relu_network(), progress=fail)
            case.build(case.relu_network())


class Callbacks(unittest.TestCase):
    def test_progress_sees_phases_and_may_cancel(self):
        seen = []
        case.build(case.conv_network(), progress=seen.append)
        self.assertIn("time tactics", {r.phase for r in seen})
        for report in seen:
            self.assertLessEqual(report.done, max(report.total, report.done))
            self.assertGreaterEqual(report.elapsed_s, 0)
        with self.assertRaises(ferry.CancelledError):
            case.build(case.conv_network(), progress=lambda report: False)

    def test_a_logger_gets_lines_of_its_severity(self):
        said = []
        case.build(case.conv_network(), logger=ferry.Logger(ferry.Severity.INFO, lambda *a: said.append(a)))
        self.assertTrue(all(s <= ferry.Severity.INFO and isinstance(t, str) for s, t in said))
        everything = []
        case.build(case.conv_network(), logger=ferry.Logger(ferry.Severity.VERBOSE, lambda *a: everything.append(a)))
        self.assertGreater(len(everything), len(said))

    def test_without_a_logger_messages_go_to_pythons(self):
        with self.assertLogs("ferry", "WARNING") as caught:
            ferry.Engine.deserialize(case.shared_relu().serialize(), replan=True, runtime=ferry.Runtime("cpu"))
        self.assertIn("planned anew", caught.output[0])

    def test_a_profiler_times_every_layer(self):
        engine = case.build(case.conv_network())
        context = engine.create_context()
        times = context.profile(numpy.zeros((1, 3, 8, 8), numpy.float32))
        self.assertEqual([t.name for t in times], [layer["name"] for layer in engine.layers])
        devices = [device.name for device in engine.runtime.devices]
        self.assertTrue(all(t.ms >= 0 and t.tactic and t.device in devices for t in times))

    def test_an_observer_sees_tensors_as_copies_and_may_stop(self):
        context = case.build(case.conv_network(), no_fusion=True).create_context()
        seen = {}
        context.set_observer(lambda name, array, scale, zero: seen.update({name: array}))
        x = numpy.random.RandomState(0).rand(1, 3, 8, 8).astype(numpy.float32)
        scores = context.run(x)["scores"]
        numpy.testing.assert_array_equal(seen["scores"], scores)
        self.assertEqual(seen["features"].shape, (1, 16, 8, 8))
        self.assertTrue(seen["features"].flags.owndata)
        context.set_observer(lambda name, array, scale, zero: False)
        with self.assertRaisesRegex(ferry.CancelledError, "the observer stopped the run"):
            context.run(x)

    def test_a_callback_that_comes_back_to_what_calls_it_gets_an_error(self):
        context = case.shared_relu().create_context()
        context.set_observer(lambda *a: context.run(X))
        with self.assertRaisesRegex(ferry.InvalidArgumentError, "wait for itself"):
            context.run(X)
        net = case.relu_network()
        with self.assertRaisesRegex(ferry.InvalidArgumentError, "wait for itself"):
            case.build(net, progress=lambda report: net.name)

    def test_a_calibrator_may_use_streams_and_contexts(self):
        engine = case.shared_relu()
        context = engine.create_context()

        class Other(ferry.Calibrator):
            left = 2

            def get_batch(self, names):
                self.left -= 1
                return None if self.left < 0 else [engine.runtime.to_device(context.run(X)["y"]).numpy()]

        case.build(case.relu_network(), int8=True, calibration=Other())

    def test_ctrl_c_stops_a_build_at_once(self):
        def interrupt():
            os.kill(os.getpid(), signal.SIGINT)

        def samples():
            threading.Timer(0.2, interrupt).start()
            while True:
                yield X

        with self.assertRaises(KeyboardInterrupt):
            case.build(case.relu_network(), int8=True, calibration=samples())

    def test_ctrl_c_between_the_samples_of_a_folder(self):
        # Nothing here calls Python but the progress that is always there.
        code = """
import os, signal, sys, threading, numpy, ferry, tempfile
net = ferry.Network()
net.mark_output(net.add("Relu", net.add_input("x", numpy.float32, [1, 64, 64, 64])))
path = os.path.join(tempfile.mkdtemp(), "samples.npy")
numpy.save(path, numpy.zeros((200, 64, 64, 64), numpy.float32))
threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    while True:
        ferry.Builder().build(net, int8=True, calibration=path, progress=False)
except KeyboardInterrupt:
    print("interrupted")
finally:
    os.remove(path)
"""
        self.assertIn("interrupted", case.run_python(code)[0])


if __name__ == "__main__":
    unittest.main()
