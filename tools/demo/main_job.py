#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The main job after the set-up: export, check against torch, build FP32 and INT8 engines, run and measure both.

Each step leaves a stamp with the hash of what it read, and is skipped while that is unchanged and its files are there.
Relative paths are relative to the root of the tree."""
import argparse
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import time

import numpy

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PICTURES = os.path.join("examples", "pictures")
LABELS = os.path.join("examples", "labels", "imagenet.txt")
EXPORT = os.path.join("tools", "demo", "export_efficientnet_lite0.py")
# How EfficientNet-Lite0 wants its pictures; the engine keeps it, so that calibrating and running cannot differ.
PREPROCESS = ("--size 224x224 --resize crop --resize-shorter 256 --filter bicubic --color rgb --layout nchw "
              "--mean 127,127,127 --std 128,128,128").split()
# FP32 is the same arithmetic in another order: more would mean that a layer computes something else.
MOST_FP32_ERROR = 1e-4


def pictures(kind):
    folder = os.path.join(PICTURES, kind)
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".jpg")]


def digest(paths, words):
    h = hashlib.sha256(json.dumps(words).encode())
    for path in sorted(paths):
        h.update(path.encode() + b"\0")
        with open(path, "rb") as f:
            h.update(hashlib.sha256(f.read()).digest())
    return h.hexdigest()


def call(command, **options):
    """Runs a command and returns its standard output; its own error text is what the user sees."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, **options)
    if done.returncode != 0:
        sys.stdout.write(done.stdout)
        sys.exit("error: this step failed with status %d:\n  %s" % (done.returncode, shlex.join(command)))
    return done.stdout


def last_json(text):
    """--json prints one object on the last line."""
    return json.loads(text.strip().splitlines()[-1])


class Steps:
    def __init__(self, out):
        self.stamps = os.path.join(out, "stamps")
        os.makedirs(self.stamps, exist_ok=True)

    def run(self, name, command, reads, writes, work):
        """Does `work` unless the stamp matches the files it `reads`, its command and this very step."""
        stamp = os.path.join(self.stamps, name.replace(" ", "-"))
        wanted = digest(reads, command)
        if os.path.exists(stamp) and all(os.path.exists(path) for path in writes):
            with open(stamp, encoding="utf-8") as f:
                if f.read() == wanted:
                    print("== %s: already done" % name, flush=True)
                    return
        print("== %s" % name, flush=True)
        if command:
            print("   " + shlex.join(command), flush=True)
        start = time.monotonic()
        if os.path.exists(stamp):
            os.remove(stamp)
        work(command)
        with open(stamp, "w", encoding="utf-8") as f:
            f.write(wanted)
        print("== %s: %.1f s" % (name, time.monotonic() - start), flush=True)


def program_files(ferry):
    """The command and its library: a rebuilt one rebuilds the engines."""
    library = os.path.join(os.path.dirname(ferry), "libferry.so")
    return [ferry] + ([library] if os.path.exists(library) else [])


def check_against_torch(ferry, engine, reference, scratch):
    """Largest relative L2 distance of the engine's logits from torch's, over the reference pictures."""
    worst = 0.0
    for name in sorted(os.listdir(reference)):
        if not name.endswith(".image.npy"):
            continue
        shutil.rmtree(scratch, ignore_errors=True)
        call([ferry, "run", engine, "--input", "image=" + os.path.join(reference, name), "--output", scratch])
        got = numpy.load(os.path.join(scratch, "logits.npy")).astype(numpy.float64)
        want = numpy.load(os.path.join(reference, name.replace(".image.", ".logits."))).astype(numpy.float64)
        error = float(numpy.linalg.norm(got - want) / numpy.linalg.norm(want))
        if not error <= worst:
            worst = error
    return worst


def read_json(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def write_text(path, text):
    with open(path + ".part", "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(path + ".part", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ferry", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--fresh", action="store_true")
    arguments = parser.parse_args()
    ferry, out = arguments.ferry, os.path.normpath(arguments.output)
    # Paths stay as short as they were given, so that what is printed can be read and typed again.
    os.chdir(ROOT)
    at = lambda *parts: os.path.join(out, *parts)
    if arguments.fresh:
        for entry in os.listdir(out):
            if entry != "venv":
                path = at(entry)
                shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
    steps = Steps(out)
    program = program_files(ferry)
    model, reference = at("efficientnet_lite0.onnx"), at("reference")
    engines = {"fp32": at("efficientnet_lite0-fp32.engine"), "int8": at("efficientnet_lite0-int8.engine")}

    steps.run("export from PyTorch to ONNX",
              [os.path.relpath(sys.executable), EXPORT, "-o", model, "--reference", reference] + pictures("run"),
              [EXPORT, os.path.join(sys.prefix, "ferry-stamp")] + pictures("run"),
              [model, reference], lambda command: print(call(command), end=""))

    common = [ferry, "build", model, "--device", "cpu", "--task", "classify", "--labels", LABELS] + PREPROCESS
    steps.run("FP32 engine", common + ["-o", engines["fp32"]], program + [model, LABELS], [engines["fp32"]],
              lambda command: print(call(command), end=""))

    def check(_):
        error = check_against_torch(ferry, engines["fp32"], reference, at("check"))
        text = "ferry against torch on %d pictures: relative L2 %.1e at most (%.0e allowed)" % (
            len(pictures("run")), error, MOST_FP32_ERROR)
        if not error <= MOST_FP32_ERROR:
            sys.exit("error: " + text)
        write_text(at("check.txt"), text + "\n")

    steps.run("check against torch", [], program + [engines["fp32"], model], [at("check.txt")], check)

    cache = at("int8.cache")
    int8 = ["--int8", "--calib", os.path.join(PICTURES, "calibrate"), "--calib-count", str(len(pictures("calibrate"))),
            "--calib-seed", "1", "--calib-cache", cache, "--recalibrate"]
    steps.run("INT8 engine", common + int8 + ["-o", engines["int8"]], program + [model, LABELS] + pictures("calibrate"),
              [engines["int8"], cache], lambda command: print(call(command), end=""))

    for kind, engine in engines.items():
        shown, result, bench = at("pictures-" + kind), at("run-%s.json" % kind), at("bench-%s.txt" % kind)
        steps.run("run " + kind, [ferry, "run", engine] + pictures("run") + ["--draw", shown, "--json"],
                  program + [engine] + pictures("run"), [shown, result],
                  lambda command, result=result: write_text(result, json.dumps(last_json(call(command)))))
        steps.run("measure " + kind, [ferry, "bench", engine], program + [engine], [bench],
                  lambda command, bench=bench: write_text(bench, call(command)))

    report(out, engines)
    return 0


def report(out, engines):
    results = {kind: read_json(os.path.join(out, "run-%s.json" % kind))["results"] for kind in engines}
    print()
    agree = 0
    for fp32, int8 in zip(results["fp32"], results["int8"]):
        best = {"fp32": fp32["classes"], "int8": int8["classes"]}
        same = best["fp32"][0]["class"] == best["int8"][0]["class"]
        agree += same
        print("%s: top-5%s" % (fp32["picture"], "" if same else "   (FP32 and INT8 differ)"))
        for a, b in zip(best["fp32"][:5], best["int8"][:5]):
            print("    FP32 %5.1f %%  %-28s  INT8 %5.1f %%  %s" %
                  (100 * a["score"], a["label"], 100 * b["score"], b["label"]))
    total = len(results["fp32"])
    print()
    with open(os.path.join(out, "check.txt"), encoding="utf-8") as f:
        print(f.read(), end="")
    print("INT8 and FP32 agree on the first class of %d of %d: on %d pictures: a demonstration, not an accuracy figure" %
          (agree, total, total))
    for kind, engine in engines.items():
        print()
        print("%s (%.1f MB, %s)" % (kind.upper(), os.path.getsize(engine) / 1e6, engine))
        with open(os.path.join(out, "bench-%s.txt" % kind), encoding="utf-8") as f:
            print(f.read().rstrip())
    print()
    print("pictures with what was found written on them:")
    for kind in engines:
        folder = os.path.join(out, "pictures-" + kind)
        for name in sorted(os.listdir(folder)):
            print("  " + os.path.join(folder, name))


if __name__ == "__main__":
    sys.exit(main())
