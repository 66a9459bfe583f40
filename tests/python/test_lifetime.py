# SPDX-License-Identifier: Apache-2.0
"""Objects dropped in any order, by any thread, with work queued, at the interpreter's end and after fork."""
import gc
import itertools
import os
import threading
import unittest

import numpy

import python_case as case
import ferry
from ferry._handles import ThreadSet

X = numpy.array([[1, -2, 3, -4]], numpy.float32)
Y = numpy.array([[1, 0, 3, 0]], numpy.float32)

SETUP = """
import gc, os, sys, threading, numpy, ferry
from python_case import relu_network
X = numpy.array([[1, -2, 3, -4]], numpy.float32)
net = relu_network()
runtime = ferry.Runtime("cpu")
engine = ferry.Builder(runtime).build(net, progress=False)
stream = runtime.create_stream()
context = engine.create_context(stream=stream)
x, y = runtime.to_device(X), runtime.empty((1, 4))
context.bind("x", x); context.bind("y", y)
"""


class Dropping(unittest.TestCase):
    def test_in_every_order(self):
        for order in itertools.permutations(("runtime", "engine", "context", "stream", "event", "x")):
            runtime = ferry.Runtime("cpu")
            engine = ferry.Builder(runtime).build(case.relu_network(), progress=False)
            stream = runtime.create_stream(threads=1)
            things = {"runtime": runtime, "engine": engine, "stream": stream,
                      "context": engine.create_context(stream=stream), "event": runtime.create_event(),
                      "x": runtime.to_device(X)}
            things["context"].bind("x", things["x"])
            things["context"].bind("y", runtime.empty((1, 4)))
            things["context"].enqueue()
            things["event"].record(stream)
            del runtime, engine, stream
            for name in order:
                del things[name]

    def test_close_in_every_order_destroys_nothing_that_is_used(self):
        for order in itertools.permutations(("runtime", "engine", "stream", "memory")):
            runtime = ferry.Runtime("cpu")
            things = {"runtime": runtime, "engine": runtime.deserialize(case.shared_relu().serialize()),
                      "stream": runtime.create_stream(threads=1), "memory": runtime.alloc(16)}
            context = things["engine"].create_context()
            for name in order:
                with things[name]:
                    pass
                numpy.testing.assert_array_equal(context.run(X)["y"], Y)
                with self.assertRaises(ferry.ClosedError):
                    things[name].__enter__()

    def test_cycles_are_collected_in_whatever_order(self):
        for _i in range(20):
            runtime = ferry.Runtime("cpu")
            engine = runtime.deserialize(case.shared_relu().serialize())
            knot = [runtime, engine, engine.create_context(), runtime.to_device(X), runtime.alloc(64),
                    runtime.pinned_empty((5,)), runtime.create_event()]
            knot.append(knot)
            runtime.knot = knot
            del runtime, engine, knot
            gc.collect()

    def test_the_last_reference_in_a_callback_of_the_stream_itself(self):
        for _i in range(20):
            engine = case.shared_relu()
            stream = engine.runtime.create_stream(threads=1)
            context = engine.create_context(stream=stream)
            holder, go, done = [stream, context], threading.Event(), threading.Event()

            def drop(holder=holder, go=go, done=done):
                go.wait(10)
                holder.clear()
                gc.collect()
                done.set()

            stream.call(drop)
            del stream, context, holder
            go.set()
            self.assertTrue(done.wait(10))

    def test_a_number_of_a_thread_that_ended_may_be_anothers(self):
        threads = ThreadSet()
        threads.add(1, 77)
        threads.add(2, 77)
        threads.discard(1)
        self.assertIn(77, threads)
        threads.discard(2)
        self.assertNotIn(77, threads)

    def test_close_while_another_thread_runs(self):
        engine = case.build(case.conv_network(16))
        x = numpy.zeros((16, 3, 8, 8), numpy.float32)
        for _i in range(20):
            context, failures = engine.create_context(threads=1), []

            def work(context=context, failures=failures):
                try:
                    while True:
                        context.run(x)
                except ferry.ClosedError:
                    pass
                except BaseException as error:  # reported below, in the test's own thread
                    failures.append(error)

            threads = [threading.Thread(target=work) for _t in range(2)]
            for thread in threads:
                thread.start()
            context.close()
            for thread in threads:
                thread.join(30)
                self.assertFalse(thread.is_alive())
            self.assertEqual(failures, [])


class Threads(unittest.TestCase):
    def in_threads(self, count, work):
        failures = []

        def guarded(i):
            try:
                work(i)
            except BaseException as error:  # reported below, in the test's own thread
                failures.append(error)

        threads = [threading.Thread(target=guarded, args=(i,)) for i in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        self.assertEqual(failures, [])

    def test_one_context_is_shared_in_turns(self):
        context = case.shared_relu().create_context(threads=1)

        def work(i):
            x = numpy.full((1, 4), i - 4, numpy.float32)
            for _n in range(200):
                numpy.testing.assert_array_equal(context.run(x)["y"], numpy.maximum(x, 0))

        self.in_threads(8, work)

    def test_one_engine_serves_contexts_in_parallel(self):
        net = case.conv_network()
        engine = case.build(net)

        def work(i):
            x = numpy.random.RandomState(i).rand(1, 3, 8, 8).astype(numpy.float32)
            expected = case_reference[i]
            for _n in range(5):
                with engine.create_context(threads=1) as context:
                    numpy.testing.assert_allclose(context.run(x)["scores"], expected, rtol=1e-4, atol=1e-4)

        case_reference = [case.conv_reference(net, numpy.random.RandomState(i).rand(1, 3, 8, 8).astype(numpy.float32))
                          for i in range(6)]
        self.in_threads(6, work)

    def test_builds_in_parallel(self):
        self.in_threads(4, lambda i: case.build(case.conv_network(seed=i)).create_context().run(
            numpy.zeros((1, 3, 8, 8), numpy.float32)))

    def test_texts_change_in_one_thread_and_are_read_in_others(self):
        engine = case.build(case.relu_network())
        engine.set_text("labels", "start")

        def work(i):
            for n in range(200):
                if i == 0:
                    engine.set_text("labels", "x" * (n * 50 + 1))
                else:
                    self.assertIn(engine.text("labels")[0], "sx")

        self.in_threads(4, work)


class Ending(unittest.TestCase):
    def test_the_interpreter_may_end_in_any_state(self):
        for ending in ("", "context.enqueue()", "stream.call(lambda: __import__('time').sleep(0.2))",
                       "keep = [x]; keep.append(keep); del runtime, engine, context, stream, x, y",
                       "context.set_profiler(print); context.enqueue()", "sys.x = numpy.asarray(x)",
                       "sys.x = (x.__dlpack__(), ferry.from_dlpack(y))", "context.close(); runtime.close()",
                       "threading.Thread(target=lambda: [context.run(X) for _ in range(2000)], daemon=True).start()",
                       "raise SystemExit(0)"):
            with self.subTest(ending):
                case.run_python(SETUP + ending)


@unittest.skipUnless(hasattr(os, "fork"), "no fork here")
class Forking(unittest.TestCase):
    def test_the_child_uses_engines_and_makes_what_runs_them(self):
        out, _err = case.run_python(SETUP + """
expected = context.run(X)["y"]
pid = os.fork()
if pid == 0:
    try:
        assert (engine.create_context().run(X)["y"] == expected).all()
        assert runtime.to_device(X).numpy()[0, 0] == 1
        for use in (lambda: context.run(X), stream.wait, lambda: stream.call(print), lambda: context.shape("y"),
                    context.enqueue):
            try:
                use()
            except ferry.ClosedError as error:
                assert "forked" in str(error), error
            else:
                raise AssertionError("the parent's object was used")
        other = ferry.Builder().build(relu_network(), progress=False)
        assert (other.create_context().run(X)["y"] == expected).all()
        assert (ferry.Builder(runtime).build(net, progress=False).create_context().run(X)["y"] == expected).all()
        del context, stream, engine, runtime, x, y, net
        gc.collect()
        print("child done", flush=True)
        os._exit(0)
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(1)
assert os.waitpid(pid, 0)[1] == 0
context.enqueue()
stream.wait()
assert (context.run(X)["y"] == expected).all()
print("parent done")
""")
        self.assertIn("child done", out)
        self.assertIn("parent done", out)

    def test_the_child_may_end_the_ordinary_way(self):
        out, _err = case.run_python(SETUP + """
context.enqueue()
pid = os.fork()
if pid:
    assert os.waitpid(pid, 0)[1] == 0
    stream.wait()
    print("parent done")
""")
        self.assertIn("parent done", out)

    def test_multiprocessing_shares_an_engine(self):
        out, _err = case.run_python(SETUP + """
import multiprocessing

def work(i):
    with engine.create_context(threads=1) as own:
        return float(own.run(X * i)["y"].sum())

with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(work, range(4)))
""")
        self.assertIn("[0.0, 4.0, 8.0, 12.0]", out)

    def test_what_stands_for_memory_is_not_pickled(self):
        import pickle
        for thing in (case.shared_relu(), ferry.Runtime("cpu"), case.relu_network()):
            with self.assertRaisesRegex(TypeError, "can't be pickled"):
                pickle.dumps(thing)


if __name__ == "__main__":
    unittest.main()
