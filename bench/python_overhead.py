#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a call from Python costs over the C API: ferry.Context.run() on numpy arrays against a loop in C around
ferry_context_run(), on the same context, stream and arrays, in interleaved rounds of one process.

    FERRY_LIBRARY=build/release/libferry.so PYTHONPATH=python python3 bench/python_overhead.py [MODEL.onnx...]

Without a model, one Relu over four numbers: nothing but overhead. Both loops go through the same C function, which
notes when each inference begins and ends, so two figures come out, medians over all calls. `over C`: how much longer
Python takes from the beginning of one inference to that of the next; it carries the noise of the inferences, which is
larger than what is sought where they take milliseconds. `between`: from the end of one to the beginning of the next,
the loop around run() included, less the same of C. Three ways: one input array, again and again; with out=; and several
input arrays in turn, in C too, so that no call gets the array of the call before. What is allowed is 20 us.
"""
import argparse
import ctypes
import json
import os
import statistics
import subprocess
import tempfile

import numpy

import ferry
import ferry._context

ALLOWED_US = 20.0
TURNS = 4  # input arrays of the third way
LOOP = r"""
#include <ferry/ferry.h>
#include <time.h>

static double *begins, *ends;
static int count;

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

void bench_start(double *b, double *e)
{
    begins = b;
    ends = e;
    count = 0;
}

ferry_status bench_run(ferry_context *context, ferry_stream *stream, const void *const *inputs, void *const *outputs,
                       ferry_error *error)
{
    begins[count] = now_us();
    const ferry_status status = ferry_context_run(context, stream, inputs, outputs, error);
    ends[count++] = now_us();
    return status;
}

int bench_loop(ferry_context *context, ferry_stream *stream, const void *const *const *inputs, int n_inputs,
               void *const *outputs, int n)
{
    for (int i = 0; i < n; i++)
        if (bench_run(context, stream, inputs[i % n_inputs], outputs, NULL) != FERRY_OK) return -1;
    return 0;
}
"""


def compile_loop(folder):
    """The loop as a shared library; its calls go to the libferry that Python has loaded already."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    source, library = os.path.join(folder, "loop.c"), os.path.join(folder, "loop.so")
    with open(source, "w") as file:
        file.write(LOOP)
    subprocess.check_call([os.environ.get("FERRY_CC") or "cc", "-std=c11", "-D_GNU_SOURCE", "-O2", "-shared", "-fPIC",
                           "-I", os.path.join(root, "include"), source, "-o", library,
                           os.path.abspath(ferry._lib.path)])
    loop = ctypes.CDLL(library)
    loop.bench_loop.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
    return loop


def make_engine(model):
    if model is not None:
        return ferry.build(model, progress=False).engine
    network = ferry.Network()
    network.mark_output(network.add("Relu", network.add_input("x", numpy.float32, [1, 4]), outputs=["y"]))
    return ferry.Builder().build(network, progress=False)


def pointers(addresses):
    return (ctypes.c_void_p * len(addresses))(*addresses)


class Rig:
    """One context with its arrays, and what was measured of each way."""

    def __init__(self, model, threads, calls, loop):
        self.context = make_engine(model).create_context(threads=threads).prepare()
        random = numpy.random.RandomState(0)
        self.inputs = [[random.rand(*self.context.shape(b)).astype(b.dtype) for b in self.context.engine.inputs]
                       for _i in range(TURNS)]
        self.outputs = list(self.context.run(*self.inputs[0]).values())
        self.calls = range(calls)
        self.loop = loop
        self.begins, self.ends = (ctypes.c_double * calls)(), (ctypes.c_double * calls)()
        sets = [pointers([a.ctypes.data for a in given]) for given in self.inputs]
        self.c_inputs, self.keep = pointers([ctypes.addressof(s) for s in sets]), sets
        self.c_outputs = pointers([a.ctypes.data for a in self.outputs])
        self.periods, self.gaps = {}, {}

    def c(self, turns):
        handles = self.context._use()._as_parameter_, self.context.stream._use()._as_parameter_
        if self.loop.bench_loop(handles[0], handles[1], self.c_inputs, turns, self.c_outputs, len(self.calls)):
            raise RuntimeError("the loop in C failed")

    def run(self):
        context, given = self.context, self.inputs[0]
        if len(given) == 1:  # as people write it
            x = given[0]
            for _i in self.calls:
                outputs = context.run(x)
        else:
            for _i in self.calls:
                outputs = context.run(*given)
        return outputs

    def run_out(self):
        context, given, out = self.context, self.inputs[0], self.outputs
        for _i in self.calls:
            context.run(*given, out=out)

    def run_turns(self):
        context, inputs = self.context, self.inputs
        for i in self.calls:
            outputs = context.run(*inputs[i % TURNS])
        return outputs

    def round(self, name, way):
        self.loop.bench_start(self.begins, self.ends)
        way()
        begins, ends = list(self.begins), list(self.ends)
        self.periods.setdefault(name, []).extend(b - a for a, b in zip(begins, begins[1:]))
        self.gaps.setdefault(name, []).extend(b - a for a, b in zip(ends, begins[1:]))

    def difference(self, name, name_in_c):
        return {"over_c": statistics.median(self.periods[name]) - statistics.median(self.periods[name_in_c]),
                "between": statistics.median(self.gaps[name]) - statistics.median(self.gaps[name_in_c])}


def measure(model=None, rounds=30, calls=1000, threads=1):
    """Medians in microseconds: of a call of the loop in C, and of what each way costs over it."""
    before = ferry._context._run
    with tempfile.TemporaryDirectory() as folder:
        loop = compile_loop(folder)
        rig = Rig(model, threads, calls, loop)
        ways = [("c", lambda: rig.c(1)), ("run", rig.run), ("run_out", rig.run_out), ("c_turns", lambda: rig.c(TURNS)),
                ("run_turns", rig.run_turns)]
        try:
            ferry._context._run = loop["bench_run"]
            for i in range(rounds):
                for name, way in ways[i % len(ways):] + ways[:i % len(ways)]:  # nobody always comes first
                    rig.round(name, way)
        finally:
            ferry._context._run = before
    return {"c": statistics.median(rig.periods["c"]), "run": rig.difference("run", "c"),
            "run_out": rig.difference("run_out", "c"), "run_turns": rig.difference("run_turns", "c_turns")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--calls", type=int, default=None, help="in each round (default: 1000, of a model 20)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    results = {}
    for model in options.models or [None]:
        calls = options.calls or (20 if model else 1000)
        times = measure(model, options.rounds, calls, options.threads)
        name = os.path.basename(model) if model else "one Relu"
        results[name] = times
        print("%-32s C %9.2f us   (allowed over C: %+.0f us)" % (name, times["c"], ALLOWED_US))
        for way, label in (("run", "run()"), ("run_out", "run(out=)"), ("run_turns", "run(), inputs in turn")):
            print("    %-28s over C %+7.2f us   between %+7.2f us" % (label, times[way]["over_c"],
                                                                    times[way]["between"]))
    if options.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main()
