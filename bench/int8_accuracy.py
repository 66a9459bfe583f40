#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what INT8 costs in accuracy: ferry's calibration algorithms beside ONNX Runtime's static quantiser, on the
same pictures. Prints a markdown table.

    pip install numpy pillow onnx onnxruntime
    bench/int8_accuracy.py --models DIR --imagenet DIR --coco DIR [--output TABLE.md]

--models holds the networks of accuracy_models.py; --imagenet labels.csv (file, class_index) and its pictures; --coco
images/train2017, images/val2017 and labels/val2017 (YOLO label files). Classifiers are calibrated on 64 pictures drawn
with seed 1 and evaluated on the others; detectors are calibrated on train2017 and evaluated on val2017. Results are
kept in --work, so that an interrupted run goes on where it was.
"""
import argparse
import csv
import datetime
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile

from accuracy_models import CLASSIFY, NETWORKS

COUNT, SEED = 64, 1
ALGORITHMS = ["entropy2", "entropy", "minmax", "percentile", "mse", "auto"]


class Pictures:
    """What a network is calibrated and evaluated on."""

    def __init__(self, network, args):
        self.classify = network.kind == CLASSIFY
        if self.classify:
            self.labels = os.path.join(args.imagenet, "labels.csv")
            self.calibration = os.path.join(args.imagenet, args.imagenet_pictures)
        else:
            self.calibration = os.path.join(args.coco, "images/train2017")
            self.images = os.path.join(args.coco, "images/val2017")
            self.labels = os.path.join(args.coco, "labels/val2017")

    def eval_options(self):
        if not self.classify:
            return ["--images", self.images, "--coco", self.labels]
        return ["--labels-csv", self.labels, "--exclude-calib", self.calibration] + draw_options()


def draw_options():
    return ["--calib-count", str(COUNT), "--calib-seed", str(SEED)]


def list_pictures(folder):
    """As ferry lists them: below the folder, sorted by the bytes of their relative paths."""
    found = []
    for root, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if not f.startswith(".")]
        found += [os.path.relpath(os.path.join(root, f), folder) for f in files
                  if f.lower().endswith((".jpg", ".jpeg", ".png")) and not f.startswith(".")]
    return [os.path.join(folder, f) for f in sorted(found, key=os.fsencode)]


def draw(paths, count, seed):
    """The samples that ferry draws (docs/CALIBRATION.md, "Samples"), and the others."""
    state, drawn, others = seed, [], []
    mask = (1 << 64) - 1

    def below(n):
        nonlocal state
        while True:
            state = (state + 0x9E3779B97F4A7C15) & mask
            z = state
            z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & mask
            z = ((z ^ z >> 27) * 0x94D049BB133111EB) & mask
            z ^= z >> 31
            if z < mask - mask % n:
                return z % n

    wanted = min(count, len(paths))
    for i, path in enumerate(paths):
        take = wanted > 0 and below(len(paths) - i) < wanted
        (drawn if take else others).append(path)
        wanted -= take
    return drawn, others


class Ferry:
    def __init__(self, args):
        self.command, self.args = shlex.split(args.ferry), args

    def call(self, *words):
        words = self.command + list(words) + ["--threads", str(self.args.threads), "--quiet"]
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        if done.returncode:
            raise RuntimeError("%s: %s" % (" ".join(words), done.stderr.strip()))
        return done.stdout

    def score(self, network, pictures, engine):
        line = self.call("eval", engine, *pictures.eval_options(), "--json").strip().splitlines()[-1]
        result = json.loads(line)
        return result["top1" if network.kind == CLASSIFY else "map50"]

    def measure(self, network, algorithm):
        """Accuracy; algorithm None: FP32."""
        pictures = Pictures(network, self.args)
        model = os.path.join(self.args.models, network.file)
        with tempfile.TemporaryDirectory(dir=self.args.work) as folder:
            engine = os.path.join(folder, "engine")
            words = ["build", model, "-o", engine] + network.options
            if algorithm:
                words += ["--int8", "--calib", pictures.calibration, "--calib-algo", algorithm] + draw_options()
                for rule in self.args.layer_precision or []:
                    words += ["--layer-precision", rule]
            self.call(*words)
            return self.score(network, pictures, engine)


class OnnxRuntime:
    def __init__(self, args):
        import accuracy_onnxruntime
        self.peer, self.args = accuracy_onnxruntime, args

    def measure(self, network, method, per_channel=False):
        """Accuracy; method None: FP32."""
        pictures = Pictures(network, self.args)
        model = os.path.join(self.args.models, network.file)
        drawn, others = draw(list_pictures(pictures.calibration), COUNT, SEED)
        if method:
            model = self.peer.quantise(network, model, drawn, method, per_channel, self.args.work)
        run = self.peer.session(model, self.args.threads)
        if network.kind != CLASSIFY:
            return self.peer.map50(network, run, list_pictures(pictures.images), pictures.labels)
        with open(pictures.labels, newline="") as f:
            classes = {os.path.realpath(os.path.join(self.args.imagenet, row["file"])): int(row["class_index"])
                       for row in csv.DictReader(f)}
        return self.peer.top1(network, run, others, [classes[os.path.realpath(path)] for path in others])


class Results:
    """Figures by name, kept in a file."""

    def __init__(self, path):
        self.path, self.figures = path, {}
        if os.path.exists(path):
            with open(path) as f:
                self.figures = json.load(f)

    def get(self, key, measure, *words):
        if key not in self.figures:
            try:
                self.figures[key] = measure(*words)
            except Exception as error:  # the others can be measured; the next run tries again
                print("%s: %s" % (key, error), file=sys.stderr)
                return None
            with open(self.path, "w") as f:
                json.dump(self.figures, f, indent=1, sort_keys=True)
        print("%-60s %s" % (key, self.figures[key]), file=sys.stderr, flush=True)
        return self.figures[key]


def table(rows, columns):
    """One row a way, one column a network: the accuracy, and the change against FP32 in points."""
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    for way, figures, reference in rows:
        cells = []
        for figure, base in zip(figures, reference):
            if figure is None:
                cells.append("failed")
            elif figures is reference:
                cells.append("%.4f" % figure)
            else:
                cells.append("%.4f (%+.1f)" % (figure, 100 * (figure - base)))
        lines.append("| %s | %s |" % (way, " | ".join(cells)))
    return lines


def describe(args):
    import numpy
    import PIL
    with open("/proc/cpuinfo") as f:
        cpu = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), platform.machine())
    words = ["%s" % datetime.date.today(), Ferry(args).call("--version").strip().splitlines()[0] if args.say_version
             else "ferry", "numpy " + numpy.__version__, "Pillow " + PIL.__version__]
    if not args.no_onnxruntime:
        import onnx
        import onnxruntime
        words += ["onnxruntime " + onnxruntime.__version__, "onnx " + onnx.__version__]
    return ", ".join(words + [cpu])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser.add_argument("--models", required=True)
    parser.add_argument("--imagenet", required=True)
    parser.add_argument("--imagenet-pictures", default="images", help="folder below --imagenet (default: images)")
    parser.add_argument("--coco", required=True)
    parser.add_argument("--ferry", default=os.path.join(here, "build", "ferry"))
    parser.add_argument("--work", default="int8_accuracy", help="folder for results and quantised models")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", action="append", help="networks whose names contain this")
    parser.add_argument("--algorithm", action="append", choices=ALGORITHMS, help="default: all")
    parser.add_argument("--layer-precision", action="append", metavar="GLOB=TYPE", help="passed on to ferry")
    parser.add_argument("--no-onnxruntime", action="store_true")
    parser.add_argument("--no-ferry", action="store_true")
    parser.add_argument("--output", help="write the table there (default: standard output)")
    args = parser.parse_args()
    args.say_version = not args.no_ferry
    os.makedirs(args.work, exist_ok=True)
    results = Results(os.path.join(args.work, "results.json"))
    networks = [n for n in NETWORKS if not args.only or any(word in n.name for word in args.only)]
    suffix = " " + " ".join(args.layer_precision) if args.layer_precision else ""
    rows = []

    def add_rows(name, measure, ways):
        reference = [results.get("%s, %s, FP32" % (n.name, name), measure, n, None) for n in networks]
        rows.append((name + ", FP32", reference, reference))
        for way, words in ways:
            figures = [results.get("%s, %s, %s" % (n.name, name, way), measure, n, *words) for n in networks]
            rows.append(("%s, %s" % (name, way), figures, reference))

    if not args.no_onnxruntime:
        peer = OnnxRuntime(args)
        add_rows("ONNX Runtime", peer.measure,
                 [("%s, weights per %s" % (method, "channel" if per else "tensor"), (method, per))
                  for method in peer.peer.METHODS for per in (True, False)])
    if not args.no_ferry:
        add_rows("ferry", Ferry(args).measure, [(a + suffix, (a,)) for a in args.algorithm or ALGORITHMS])
    lines = table(rows, [n.name for n in networks])
    lines += ["", "Classifiers: top-1; detectors: mAP@0.5. In brackets: points against FP32. " + describe(args)]
    text = "\n".join(lines) + "\n"
    if args.output:
        with open(args.output, "w") as f:
            f.write(text)
    else:
        print(text)


if __name__ == "__main__":
    main()
