# SPDX-License-Identifier: Apache-2.0
"""The short way that a usual call of run() takes: it gives what the long way gives, and notices all that is unusual."""
import gc
import threading
import unittest
import weakref

import numpy

import python_case as case
import ferry
from ferry import _plan

X = numpy.array([[1, -2, 3, -4]], numpy.float32)
Y = numpy.array([[1, 0, 3, 0]], numpy.float32)


def address(array):
    return array.__array_interface__["data"][0]


def own_context(engine=None):
    context = (engine or case.shared_relu()).create_context(threads=1)
    context.run(X)
    return context


class Usual(unittest.TestCase):
    """Each test calls once before, so that the call that counts goes the short way; that it does is looked at."""

    def setUp(self):
        self.context = own_context()
        self.long_ways = 0
        plan_for = self.context._plan_for

        def counted(inputs):
            self.long_ways += 1
            return plan_for(inputs)

        self.context._plan_for = counted

    def test_the_same_results(self):
        random = numpy.random.RandomState(0)
        same = numpy.empty((1, 4), numpy.float32)
        for _i in range(20):
            same[:] = random.randn(1, 4)
            other = random.randn(1, 4).astype(numpy.float32)
            readonly = other.copy()
            readonly.flags.writeable = False
            out = numpy.full((1, 4), 7, numpy.float32)
            for x in (same, other, readonly):
                numpy.testing.assert_array_equal(self.context.run(x)["y"], numpy.maximum(x, 0))
                self.assertIs(self.context.run(x, out=[out])["y"], out)
                numpy.testing.assert_array_equal(out, numpy.maximum(x, 0))
        self.assertEqual(self.long_ways, 0)

    def test_several_inputs_and_outputs(self):
        net = ferry.Network()
        a, b = net.add_input("a", numpy.float32, [2, 3]), net.add_input("b", numpy.int64, [4])
        net.mark_output(net.add("Relu", a, outputs=["c"]))
        net.mark_output(net.add("Neg", b, outputs=["d"]))
        context = case.build(net).create_context(threads=1)
        out = [numpy.empty((2, 3), numpy.float32), numpy.empty(4, numpy.int64)]
        for i in range(4):
            x, y = numpy.full((2, 3), i - 1, numpy.float32), numpy.arange(i, i + 4)
            for got in (context.run(x, y), context.run(x, y, out=out), context.run(x, y, out=tuple(out))):
                self.assertEqual(list(got), ["c", "d"])
                numpy.testing.assert_array_equal(got["c"], numpy.maximum(x, 0))
                numpy.testing.assert_array_equal(got["d"], -y)
        with self.assertRaises(ferry.InvalidArgumentError):
            context.run(y, x)
        with self.assertRaisesRegex(ferry.InvalidArgumentError, "1 inputs given, and the engine has 2"):
            context.run(x)

    def test_an_input_that_was_changed_in_place_is_compared_again(self):
        x = X.copy()
        for change in (lambda: setattr(x, "shape", (4, 1)), lambda: setattr(x, "dtype", numpy.int32)):
            self.context.run(x)
            change()
            with self.assertRaises(ferry.InvalidArgumentError):
                self.context.run(x)
            x.dtype = numpy.float32
            x.shape = (1, 4)
            numpy.testing.assert_array_equal(self.context.run(x)["y"], Y)

    def test_an_output_that_was_changed_in_place_is_compared_again(self):
        out = numpy.zeros((1, 4), numpy.float32)
        for change in (lambda: setattr(out, "shape", (4, 1)), lambda: setattr(out, "dtype", numpy.int32),
                       lambda: setattr(out.flags, "writeable", False)):
            self.context.run(X, out=out)
            change()
            with self.assertRaises(ferry.InvalidArgumentError):
                self.context.run(X, out=out)
            out.flags.writeable = True
            out.dtype = numpy.float32
            out.shape = (1, 4)
            numpy.testing.assert_array_equal(self.context.run(X, out=[out])["y"], Y)

    def test_what_does_not_fit_goes_the_long_way(self):
        unaligned = numpy.frombuffer(bytearray(17), numpy.uint8)[1:].view(numpy.float32).reshape(1, 4)
        unaligned[:] = X
        for x in (numpy.repeat(X, 2, axis=1)[:, ::2], unaligned):
            before = self.long_ways
            with self.assertWarns(ferry.CopyWarning):
                numpy.testing.assert_array_equal(self.context.run(x)["y"], Y)
            self.assertEqual(self.long_ways, before + 1)
        with self.assertRaisesRegex(ferry.InvalidArgumentError, "float64"):
            self.context.run(X.astype(numpy.float64))
        with self.assertRaisesRegex(ferry.InvalidArgumentError, "out has 2 arrays, and the engine 1 outputs"):
            self.context.run(X, out=[Y, Y])
        numpy.testing.assert_array_equal(self.context.run(X)["y"], Y)

    def test_an_input_is_held_until_the_next(self):
        class Array(numpy.ndarray):
            """numpy's own can't be referred to weakly in each version."""

        x = X.copy().view(Array)
        self.context.run(x)
        alive = weakref.ref(x)
        del x
        gc.collect()
        self.assertIsNotNone(alive())
        self.context.run(X)
        gc.collect()
        self.assertIsNone(alive())


class Memory(unittest.TestCase):
    """Of outputs: the caller's as long as anything refers to it."""

    def setUp(self):
        if _plan.FREE is None:
            self.skipTest("this Python's reference counts don't tell who uses memory")
        self.context = own_context()

    def test_it_is_used_again(self):
        used = set()
        for _i in range(50):
            outputs = self.context.run(X)
            used.add(address(outputs["y"]))
        self.assertLessEqual(len(used), 2)

    def test_what_anything_refers_to_stays(self):
        forms = (lambda y: y, lambda y: y[0], lambda y: y[:, 1:].T, memoryview, lambda y: y.reshape(2, 2)[1],
                 lambda y: numpy.asarray(memoryview(y)), lambda y: iter(y[0].flat))
        kept = []
        for i in range(40):
            x = X * (i + 1)
            kept.append([form(self.context.run(x)["y"]) for form in forms])
        for i, views in enumerate(kept):
            want = Y * (i + 1)
            for form, view in zip(forms, views):
                want_view = form(want)
                if hasattr(view, "coords"):
                    view, want_view = list(view), list(want_view)
                numpy.testing.assert_array_equal(numpy.array(view), numpy.array(want_view))

    def test_what_the_caller_does_to_an_output_ends_with_it(self):
        for change in (lambda y: setattr(y, "shape", (2, 2)), lambda y: setattr(y, "dtype", numpy.int32),
                       lambda y: setattr(y.flags, "writeable", False), lambda y: y.fill(9)):
            for _i in range(4):
                y = self.context.run(X)["y"]
                self.assertEqual((y.shape, y.dtype, y.flags.writeable), ((1, 4), numpy.float32, True))
                numpy.testing.assert_array_equal(y, Y)
                change(y)

    def test_an_output_serves_as_the_next_input_and_output(self):
        x = X
        for _i in range(6):
            y = self.context.run(x)["y"]
            self.assertIs(self.context.run(X, out=[y])["y"], y)
            numpy.testing.assert_array_equal(y, Y)
            x = y
            numpy.testing.assert_array_equal(self.context.run(x)["y"], Y)

    def test_it_outlives_the_context(self):
        y = self.context.run(X)["y"]
        self.context.close()
        del self.context
        gc.collect()
        numpy.testing.assert_array_equal(y, Y)

    def test_threads_keep_theirs(self):
        wrong = []

        def work(seed):
            random = numpy.random.RandomState(seed)
            kept = []
            for i in range(300):
                x = random.randn(1, 4).astype(numpy.float32)
                kept.append((x, self.context.run(x)["y"]))
                wrong.extend(0 for x, y in kept[-3:] if not (y == numpy.maximum(x, 0)).all())
                if i % 3 == 0:
                    kept = kept[-2:]

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])


class States(unittest.TestCase):
    """What changed since the last call."""

    def test_a_closed_context_and_a_closed_stream(self):
        context = own_context()
        context.stream.close()
        with self.assertRaisesRegex(ferry.ClosedError, "this Stream is closed"):
            context.run(X)
        context.stream = context.engine.runtime.create_stream(threads=1)
        numpy.testing.assert_array_equal(context.run(X)["y"], Y)
        context.close()
        with self.assertRaisesRegex(ferry.ClosedError, "this Context is closed"):
            context.run(X)

    def test_another_stream_is_used(self):
        context = own_context()
        context.stream = other = context.engine.runtime.create_stream(threads=1)
        gate = threading.Event()
        other.call(lambda: gate.wait(10))
        thread = threading.Thread(target=context.run, args=(X,))
        thread.start()
        thread.join(0.05)
        self.assertTrue(thread.is_alive())  # it waits for what is before it on that stream
        gate.set()
        thread.join(10)
        self.assertFalse(thread.is_alive())

    def test_on_the_streams_own_thread_it_is_refused(self):
        context = own_context()
        context.stream.call(lambda: context.run(X))
        with self.assertRaisesRegex(ferry.InvalidArgumentError, "a callback on a stream's thread can't use that stream"):
            context.stream.wait()
        numpy.testing.assert_array_equal(context.run(X)["y"], Y)

    def test_coming_back_on_the_same_thread_is_refused(self):
        context = own_context()
        with context._exclusive:
            with self.assertRaisesRegex(ferry.InvalidArgumentError, "can't use the context that is at work"):
                context.run(X)
        numpy.testing.assert_array_equal(context.run(X)["y"], Y)

    def test_another_thread_waits_for_its_turn(self):
        context, done = own_context(), []
        with context._exclusive:
            thread = threading.Thread(target=lambda: done.append(context.run(X)["y"]))
            thread.start()
            thread.join(0.05)
            self.assertEqual(done, [])
        thread.join(10)
        numpy.testing.assert_array_equal(done[0], Y)

    def test_in_a_child_it_is_refused_even_while_the_parent_runs(self):
        case.run_python("""
import os, threading
import numpy
import python_case as case
import ferry
X = numpy.ones((1, 4), numpy.float32)
context = case.shared_relu().create_context(threads=1)
context.run(X)
for busy in (False, True):
    if busy:
        held, go = threading.Event(), threading.Event()
        def hold():
            with context._exclusive:
                held.set()
                go.wait(60)
        threading.Thread(target=hold).start()
        held.wait(10)
    child = os.fork()
    if child == 0:
        try:
            context.run(X)
        except ferry.ClosedError as error:
            os._exit(0 if "forked from it" in str(error) else 2)
        os._exit(3)
    _pid, status = os.waitpid(child, 0)
    assert status == 0, status
go.set()
""", timeout=60)


if __name__ == "__main__":
    unittest.main()
