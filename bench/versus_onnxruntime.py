#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Latency of ferry beside ONNX Runtime's, model by model, in interleaved rounds on one machine.

    pip install numpy onnxruntime
    python3 bench/versus_onnxruntime.py --ferry build/release/ferry --threads 1 MODEL.onnx...

Each round measures both, one after the other; the median over the rounds of each round's median is shown, and the ratio
(above 1: ferry is faster). Inputs are random; dynamic dimensions are taken as 1 unless --shape says otherwise.
ferry is measured as its own process (`ferry bench`), ONNX Runtime inside this one, both after warming up.
"""
import argparse
import datetime
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

import numpy
import onnxruntime

TYPES = {"tensor(float)": numpy.float32, "tensor(float16)": numpy.float16, "tensor(uint8)": numpy.uint8,
         "tensor(int64)": numpy.int64, "tensor(int32)": numpy.int32}


def open_session(model, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def make_inputs(session, shapes):
    random = numpy.random.default_rng(1)
    inputs = {}
    for i in session.get_inputs():
        shape = shapes.get(i.name) or [d if isinstance(d, int) else 1 for d in i.shape]
        inputs[i.name] = random.standard_normal(shape).astype(TYPES[i.type])
    return inputs


def time_peer(session, inputs, seconds):
    names = [o.name for o in session.get_outputs()]
    end = time.perf_counter() + 0.2
    while time.perf_counter() < end:
        session.run(names, inputs)
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 10:
        begin = time.perf_counter()
        session.run(names, inputs)
        times.append((time.perf_counter() - begin) * 1e3)
    return statistics.median(times)


def time_ferry(command, engine, threads, seconds):
    words = ["bench", engine, "--threads", str(threads), "--duration", str(seconds), "--json", "-q"]
    done = subprocess.run(command + words, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.decode().strip().splitlines()[-1])["median_ms"]


def build_engine(command, model, inputs, threads, options, folder):
    engine = os.path.join(folder, "model.engine")
    words = ["build", model, "-o", engine, "-q", "--task", "raw", "--threads", str(threads)]
    for name, array in inputs.items():
        words += ["--shape", "%s=%s" % (name, "x".join(str(d) for d in array.shape))]
    subprocess.run(command + words + options, stdout=subprocess.DEVNULL, check=True)
    return engine


def parse_shapes(texts):
    shapes = {}
    for text in texts:
        name, dims = text.rsplit("=", 1)
        shapes[name] = [int(d) for d in dims.split("x")]
    return shapes


def measure(model, arguments):
    command, options = shlex.split(arguments.ferry), shlex.split(arguments.build)
    session = open_session(model, arguments.threads)
    inputs = make_inputs(session, parse_shapes(arguments.shape))
    with tempfile.TemporaryDirectory() as folder:
        engine = build_engine(command, model, inputs, arguments.threads, options, folder)
        return [(time_peer(session, inputs, arguments.seconds),
                 time_ferry(command, engine, arguments.threads, arguments.seconds)) for _ in range(arguments.rounds)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--ferry", default="ferry", help="the command, with an emulator before it if need be")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=1, help="of each measurement")
    parser.add_argument("--shape", action="append", default=[], help="INPUT=1x3x224x224")
    parser.add_argument("--build", default="", help="more options for `ferry build`, e.g. '--int8 --calib-cache m.cache'")
    arguments = parser.parse_args()
    version = subprocess.run(shlex.split(arguments.ferry) + ["--version"], stdout=subprocess.PIPE, check=True)
    print("%s, %s beside onnxruntime %s; %s; %d thread(s), %d rounds of %d s\n" % (
        datetime.date.today(), version.stdout.decode().strip(), onnxruntime.__version__, platform.machine(),
        arguments.threads, arguments.rounds, arguments.seconds))
    print("| model | onnxruntime FP32 ms | ferry %sms | ratio (min; max) |" % (arguments.build and arguments.build + " "))
    print("|---|---:|---:|---:|")
    ratios = []
    for model in arguments.models:
        rounds = measure(model, arguments)
        each = [peer / own for peer, own in rounds]
        ratios.append(statistics.median(each))
        print("| %s | %.2f | %.2f | %.2f (%.2f; %.2f) |" % (
            os.path.splitext(os.path.basename(model))[0], statistics.median(r[0] for r in rounds),
            statistics.median(r[1] for r in rounds), ratios[-1], min(each), max(each)), flush=True)
    print("\ngeometric mean of the ratios: %.2f" % statistics.geometric_mean(ratios))


if __name__ == "__main__":
    sys.exit(main())
