#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times ferry on the CPU beside what else one would pick: ONNX Runtime, OpenVINO, ncnn and MNN, batch 1.

    python3 bench/cpu.py FOLDER/*.onnx --setup PEERS --ferry build/release --md table.md

With --setup, the peers are installed from PyPI into the virtual environment PEERS, once, and measured from there.
MODELS are ONNX files with one input [1, 3, H, W]. INT8 needs pictures (--calib; default: the folder in FOLDER that
FOLDER/models.json names for the model, or FOLDER/calib). Mean and standard deviation of pixels (0 to 255) come from
FOLDER/models.json where it lists the model, else from --mean and --std.

Every engine runs in a process of its own, loaded once. They take turns in short slices, in an order that changes from
round to round, the others stopped; bench/peers/rounds.py tells which slices count. Inputs rotate through --samples
buffers. The figure is the lower quartile of the slices' median times. The memory of an engine is the peak of its process
less what that held before the model was loaded (library and inputs). Outputs are compared with ONNX Runtime's in FP32.

--json keeps all figures and is added to, so that a run may measure what is missing or what changed; without MODELS, the
report is written anew from it. Differences below 5 % on one thread and 10 % on two are noise.
"""
import argparse
import json
import os
import sys
import time

from peers import group, machine, model, report, setup
from peers.ferry import Ferry


def list_of(kind):
    return lambda text: [kind(x) for x in text.split(",") if x]


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--setup", metavar="FOLDER", help="install the peers there and use them")
    parser.add_argument("--ferry", metavar="BUILD", default="build/release", help="build folder (default %(default)s)")
    parser.add_argument("--build-options", type=str.split, default=[], help="more options for `ferry build`")
    parser.add_argument("--engines", type=list_of(str), default=["ferry", "onnxruntime", "openvino", "ncnn", "mnn"])
    parser.add_argument("--precisions", type=list_of(str), default=["fp32", "bf16", "int8"])
    parser.add_argument("--threads", type=list_of(int), default=[1, 2])
    parser.add_argument("--cores", type=list_of(int), help="processors to measure on (bench/threads.py --groups 2)")
    parser.add_argument("--calib", help="folder of pictures")
    parser.add_argument("--calibration-count", type=int, default=16, help="pictures to calibrate on")
    parser.add_argument("--samples", type=int, default=16, help="pictures to run on: as many buffers")
    parser.add_argument("--mean", type=list_of(float), default=[0.0, 0.0, 0.0])
    parser.add_argument("--std", type=list_of(float), default=[255.0, 255.0, 255.0])
    parser.add_argument("--rounds", type=int, default=8, help="undisturbed slices wanted of each engine")
    parser.add_argument("--slice-ms", type=float, default=80)
    parser.add_argument("--group-s", type=float, default=45, help="most seconds for a model and number of threads")
    parser.add_argument("--prepare-only", action="store_true", help="convert, calibrate and build, but time nothing")
    parser.add_argument("--work", default="out/bench-cpu", help="converted models and engines (default %(default)s)")
    parser.add_argument("--json", default="", help="default: cpu.json in the folder of --work")
    parser.add_argument("--md", default="", help="report (default: on the standard output)")
    return parser.parse_args()


def open_results(path):
    if os.path.exists(path):
        with open(path) as f:
            return json.load(f)
    return {"cells": [], "skipped": [], "peak": {}}


def save_results(results, path):
    with open(path + ".part", "w") as f:
        json.dump(results, f, indent=1)
    os.replace(path + ".part", path)


def replace_cells(results, measured):
    """What the group found takes the place of what was known of the same cells."""
    def key(cell):
        return cell["model"], cell["engine"], cell["precision"], cell["threads"]

    cells = measured.pop("cells")
    anew = {key(c) for c in cells + measured["skipped"]}
    for name, found in (("cells", cells), ("skipped", measured["skipped"])):
        results[name] = [c for c in results[name] if key(c) not in anew] + found


def open_model(path, arguments):
    listed = model.settings_beside(path)
    beside = os.path.join(os.path.dirname(path), listed.get("pictures", "calib"))
    calibration = arguments.calib or (beside if os.path.isdir(beside) else None)
    return model.Model(path, listed.get("mean", arguments.mean), listed.get("std", arguments.std), calibration)


def prepare(arguments, ferry):
    for path in arguments.models:
        opened = open_model(path, arguments)
        for threads in arguments.threads:
            group.Group(opened, threads, arguments, ferry, None).prepare()


def note_machine(arguments, results, peak, ferry):
    for threads, found in machine.measure_peak(peak, max(arguments.threads)).items():
        known = results["peak"].setdefault(threads, {})
        known.update({k: max(v, known.get(k, 0)) for k, v in found.items()})
    results["machine"] = machine.describe()
    results["versions"] = dict(setup.versions(), ferry=ferry.version())
    results["date"] = time.strftime("%Y-%m-%d")


def measure(arguments, results, ferry):
    peak = machine.compile_c("peak.c", os.path.join(arguments.work, "peak"))
    note_machine(arguments, results, peak, ferry)
    for path in arguments.models:
        opened = open_model(path, arguments)
        for threads in arguments.threads:
            canary = machine.Canary(peak, threads, results["peak"][str(threads)]["fp32"])
            one = group.Group(opened, threads, arguments, ferry, canary)
            cells = one.measure()
            canary.close()
            replace_cells(results, {"cells": cells, "skipped": one.skipped})
            save_results(results, arguments.json)
            line = sorted((c["p25_ms"], c["engine"], c["precision"]) for c in cells)
            print("%s, %d thread(s): %s" % (opened.name, threads, ", ".join("%s %s %.2f" % (e, p, ms)
                                                                            for ms, e, p in line)), file=sys.stderr)


def main():
    arguments = parse()
    if arguments.setup:
        setup.make_environment(arguments.setup)
    if arguments.cores:
        os.sched_setaffinity(0, arguments.cores)
    os.makedirs(arguments.work, exist_ok=True)
    arguments.work = os.path.abspath(arguments.work)
    arguments.json = arguments.json or os.path.join(arguments.work, "cpu.json")
    results = open_results(arguments.json)
    if arguments.models:
        ferry = Ferry(arguments.ferry, arguments.work, arguments.build_options)
        if arguments.prepare_only:
            return prepare(arguments, ferry)
        measure(arguments, results, ferry)
    text = report.write(results)
    if arguments.md:
        with open(arguments.md, "w") as f:
            f.write(text)
    else:
        print(text)
    return None


if __name__ == "__main__":
    main()
