#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a call from Python costs over the C API: ferry.Context.run() on numpy arrays against a loop in C around
ferry_context_run(), on the same context, stream and arrays, in interleaved rounds of one process.

    FERRY_LIBRARY=build/release/libferry.so PYTHONPATH=python python3 bench/python_overhead.py [MODEL.onnx...]

Without a model, one Relu over four numbers: nothing but overhead. Each figure is a median over the rounds, of the mean
time of a call or of the difference in the same round. What is allowed is 20 us.
"""
import argparse
import ctypes
import json
import os
import statistics
import subprocess
import tempfile
import time

import numpy

import ferry

ALLOWED_US = 20.0
LOOP = r"""
#include <ferry/ferry.h>
#include <time.h>

double bench_loop(ferry_context *context, ferry_stream *stream, const void *const *inputs, void *const *outputs, int n)
{
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < n; i++)
        if (ferry_context_run(context, stream, inputs, outputs, NULL) != FERRY_OK) return -1;
    clock_gettime(CLOCK_MONOTONIC, &end);
    return ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) / n;
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
    loop = ctypes.CDLL(library).bench_loop
    loop.restype = ctypes.c_double
    loop.argtypes = [ctypes.c_void_p] * 4 + [ctypes.c_int]
    return loop


def make_engine(model):
    if model is not None:
        return ferry.build(model, progress=False).engine
    network = ferry.Network()
    network.mark_output(network.add("Relu", network.add_input("x", numpy.float32, [1, 4]), outputs=["y"]))
    return ferry.Builder().build(network, progress=False)


def time_python(call, n):
    begin = time.perf_counter()
    for _i in range(n):
        call()
    return (time.perf_counter() - begin) / n * 1e9


def measure(model=None, rounds=21, calls=1000, threads=1):
    """Medians over the rounds in microseconds: of a call of the loop in C, and of what run() takes longer in the same
    round, with arrays made for it and with out=."""
    context = make_engine(model).create_context(threads=threads).prepare()
    random = numpy.random.RandomState(0)
    inputs = {b.name: random.rand(*context.shape(b)).astype(b.dtype) for b in context.engine.inputs}
    given = list(inputs.values())
    outputs = context.run(*given)
    arrays = list(outputs.values())
    addresses = [(ctypes.c_void_p * len(a))(*[x.ctypes.data for x in a]) for a in (given, arrays)]
    with tempfile.TemporaryDirectory() as folder:
        loop = compile_loop(folder)
        handles = context._use()._as_parameter_, context.stream._use()._as_parameter_
        ways = {"c": lambda: loop(handles[0], handles[1], addresses[0], addresses[1], calls),
                "run": lambda: time_python(lambda: context.run(*given), calls),
                "run_out": lambda: time_python(lambda: context.run(*given, out=arrays), calls)}
        times = {name: [] for name in ways}
        for i in range(rounds):
            order = list(ways)[i % 3:] + list(ways)[:i % 3]  # nobody always comes first
            for name in order:
                times[name].append(ways[name]() / 1000)
    return {"c": statistics.median(times["c"]),
            "over_c": statistics.median(p - c for p, c in zip(times["run"], times["c"])),
            "over_c_out": statistics.median(p - c for p, c in zip(times["run_out"], times["c"]))}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=21)
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
        print("%-32s C %9.2f us   run() %+6.2f us   run(out=) %+6.2f us   (allowed: %+.0f)" % (
            name, times["c"], times["over_c"], times["over_c_out"], ALLOWED_US))
    if options.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main()
