#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Where the time of networks goes on the CPU, by kind of layer, and how near each kind comes to what the core can do.

    python3 bench/cpu_layers.py --ferry build/release out/bench-cpu/*.ferry-*-1.engine --md layers.md

Engines are built for this machine and one thread, as bench/cpu.py leaves them in its --work. Each runs for --duration
seconds and is profiled then, --profiles times; a layer's time is the median. Of each kind the table has its share
of the time and, behind it, multiply-adds in that time (two operations each) as percent of the peak that bench/peak.c finds
for the precision that the kind's layers run in. Winograd's are counted as the plain sums that they replace.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

from peers import machine

KINDS = ["stem and wider", "Winograd", "pointwise", "depthwise", "blocks", "matrix", "attention", "norm, softmax",
         "pooling", "elementwise", "moving"]
# Beginnings of tactics' names, the first that fits counts; convolutions are told apart by their windows.
TACTICS = [("conv_winograd", "Winograd"), ("conv_block", "blocks"), ("conv_transpose", "stem and wider"),
           ("conv", None), ("matrix", "matrix"), ("matmul", "matrix"), ("attention", "attention"),
           ("lines", "norm, softmax"), ("pool", "pooling"), ("elementwise", "elementwise"), ("unary", "elementwise"),
           ("binary", "elementwise"), ("resize", "moving"), ("", "moving")]


def elements(tensor):
    count = 1
    for dim in tensor["shape"]:
        count *= dim
    return count


def kind_of(layer):
    if "depthwise" in layer["tactic"]:
        return "depthwise"
    for beginning, kind in TACTICS:
        if layer["tactic"].startswith(beginning):
            if kind:
                return kind
            # Multiply-adds of an output: channels x window.
            each = layer["macs"] / max(1, elements(layer["outputs"][0]))
            return "pointwise" if each <= layer["inputs"][0]["shape"][1] else "stem and wider"


def layers_of(ferry, engine):
    done = subprocess.run([ferry, "inspect", engine, "--json", "-q"], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.decode().strip().splitlines()[-1])["layers"]


def times_of(ferry, engine, duration, profiles):
    """Milliseconds of each layer, in their order."""
    found = []
    for _ in range(profiles):
        done = subprocess.run([ferry, "bench", engine, "--threads", "1", "--duration", str(duration), "--dumpProfile", "-q"],
                              stdout=subprocess.PIPE, check=True)
        found.append(re.findall(r"^ +([\d.]+) ms  (\S+) +(.*)$", done.stdout.decode(), re.M))
    return [(layers[0][2].strip(), layers[0][1], statistics.median(float(layer[0]) for layer in layers))
            for layers in zip(*found)]


def sum_up(layers, times, peak):
    """{kind: [ms, ms at peak]}, and the whole time."""
    named = {}
    for layer in layers:
        named.setdefault((layer["name"], layer["tactic"]), []).append(layer)
    kinds = {}
    for name, tactic, ms in times:
        candidates = named.get((name, tactic))
        if tactic == "reformat":  # between two layouts: no layer of its own
            kinds.setdefault("moving", [0.0, 0.0])[0] += ms
            continue
        if not candidates:
            sys.exit("the profile has a layer '%s' (%s) that the engine's description lacks" % (name, tactic))
        layer = candidates.pop(0) if len(candidates) > 1 else candidates[0]
        entry = kinds.setdefault(kind_of(layer), [0.0, 0.0])
        entry[0] += ms
        entry[1] += 2e-6 * layer["macs"] / peak[layer["precision"] if layer["precision"] in peak else "fp32"]
    return kinds, sum(entry[0] for entry in kinds.values())


def cell(entry, whole):
    if not entry or entry[0] < 0.005 * whole:
        return "-"
    share = "%.0f %%" % (100 * entry[0] / whole)
    return share + (" (%.0f %%)" % (100 * entry[1] / entry[0]) if entry[1] > 0.05 * entry[0] else "")


def row(ferry, engine, peak, duration, profiles):
    kinds, whole = sum_up(layers_of(ferry, engine), times_of(ferry, engine, duration, profiles), peak)
    name = os.path.basename(engine).rsplit(".engine", 1)[0]
    name = re.sub(r"\.ferry-(\w+)-1$", r", \1", name)
    return [name, "%.2f" % whole] + [cell(kinds.get(kind), whole) for kind in KINDS]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engines", nargs="+")
    parser.add_argument("--ferry", metavar="BUILD", default="build/release", help="build folder (default %(default)s)")
    parser.add_argument("--duration", type=float, default=0.1, help="seconds before each profile (default %(default)s)")
    parser.add_argument("--profiles", type=int, default=9)
    parser.add_argument("--md", default="", help="table (default: on the standard output)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = machine.measure_peak(machine.compile_c("peak.c", os.path.join(folder, "peak")), 1)["1"]
    lines = ["| network | ms | " + " | ".join(KINDS) + " |", "|---|---:|" + "---:|" * len(KINDS)]
    for engine in arguments.engines:
        lines.append("| " + " | ".join(row(os.path.join(arguments.ferry, "ferry"), engine, found,
                                           arguments.duration, arguments.profiles)) + " |")
    text = "\n".join(lines + ["", "Peaks: " + ", ".join("%s %.0f" % (k, v) for k, v in sorted(found.items())) +
                              " G operations a second."]) + "\n"
    if arguments.md:
        with open(arguments.md, "w") as f:
            f.write(text)
    else:
        print(text)


if __name__ == "__main__":
    main()
