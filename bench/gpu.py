#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times networks in FP16 on an NVIDIA GPU with ferry and with PyTorch: eager, as a CUDA graph, and compiled.

    bench/device.sh pack FOLDER; then on the machine with the GPU: FOLDER/device.sh run --models resnet50 --batches 1,8

Networks are torchvision's with random weights of a fixed seed, whose batch norms have seen random pictures: speed does
not depend on what a network has learnt. Inputs rotate among sets. A time is that of one batch, by the GPU's events; the
wall clock stands beside it. Torch's graph is timed before and after ferry. Outputs are held against torch in FP32.
torch.compile takes minutes: keep its figures with --json, and read them again with --peers.
"""
import argparse
import copy
import inspect
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy
import torch
import torchvision

MODELS = ("resnet50", "resnet18", "mobilenet_v2", "efficientnet_b0", "squeezenet1_1", "vit_b_16")
SETS = 4  # of inputs
SECONDS = 0.6  # of each measurement


def make_model(name):
    torch.manual_seed(20260101)
    model = getattr(torchvision.models, name)(weights=None).cuda()
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the mean of all that it sees
    model.train()
    with torch.no_grad():
        for linear in (m for m in model.modules() if isinstance(m, torch.nn.Linear) and not m.weight.any()):
            torch.nn.init.normal_(linear.weight, std=0.02)  # a head of zeros would answer nothing but zeros
        for _ in range(4 if norms else 0):
            model(torch.randn(16, 3, 224, 224, device="cuda"))
    return model.eval()


def make_inputs(batch):
    generator = torch.Generator(device="cuda").manual_seed(7)
    return [torch.randn(batch, 3, 224, 224, device="cuda", generator=generator) for _ in range(SETS)]


def export(model, path):
    has_fastpath = hasattr(torch.backends, "mha")
    if has_fastpath:
        torch.backends.mha.set_fastpath_enabled(False)  # one operator that ONNX does not have
    try:
        export_to(model, path)
    finally:
        if has_fastpath:
            torch.backends.mha.set_fastpath_enabled(True)  # what PyTorch's own times are to have


def export_to(model, path):
    arguments = {"input_names": ["input"], "output_names": ["output"], "opset_version": 16}
    older = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    x = torch.randn(2, 3, 224, 224, device="cuda")
    try:
        torch.onnx.export(model, (x,), path, dynamic_axes={"input": {0: "N"}, "output": {0: "N"}}, **older, **arguments)
    except Exception as why:  # the older exporter is on its way out
        print("  exported by torch.export: %s" % str(why).split("\n")[0][:100])
        arguments["opset_version"] = 18
        torch.onnx.export(model, (x,), path, dynamo=True, external_data=False,
                          dynamic_shapes=({0: torch.export.Dim("N")},), **arguments)


def cosine(a, b):
    """Less than 1 counts; NaN, of outputs that are zero or not finite, is no agreement."""
    a, b = a.double().flatten(), b.double().flatten()
    return float(torch.dot(a, b) / (a.norm() * b.norm()))


class Torch:
    """The ways to run a model; each answers a function of the set's number."""

    def __init__(self, model, inputs):
        self.model = model.half().to(memory_format=torch.channels_last)
        self.inputs = [x.half().contiguous(memory_format=torch.channels_last) for x in inputs]

    def eager(self):
        return lambda i: self.model(self.inputs[i])

    def graph(self):
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            for x in self.inputs:
                self.model(x)
        torch.cuda.synchronize()
        self.graphs = []
        for x in self.inputs:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                output = self.model(x)
            self.graphs.append((graph, output))

        def run(i):
            self.graphs[i][0].replay()
            return self.graphs[i][1]
        return run

    def compiled(self):
        compiled = torch.compile(self.model, mode="max-autotune")
        return lambda i: compiled(self.inputs[i])


def measure(run):
    """Medians over rounds, of one batch: by events in ms, and by the wall clock when each is waited for."""
    with torch.inference_mode():
        for i in range(3 * SETS):
            run(i % SETS)
        torch.cuda.synchronize()
        begin = time.perf_counter()
        for i in range(SETS):
            run(i)
        torch.cuda.synchronize()
        each = max((time.perf_counter() - begin) / SETS, 1e-5)
        per_round = max(SETS, int(0.02 / each))
        events, ends = [], time.perf_counter() + SECONDS
        while time.perf_counter() < ends or len(events) < 5:
            a, b = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            a.record()
            for i in range(per_round):
                run(i % SETS)
            b.record()
            torch.cuda.synchronize()
            events.append(a.elapsed_time(b) / per_round)
        walls = []
        for i in range(max(20, min(200, int(0.2 / each)))):
            begin = time.perf_counter()
            run(i % SETS)
            torch.cuda.synchronize()
            walls.append((time.perf_counter() - begin) * 1e3)
    return {"gpu_ms": statistics.median(events), "wall_ms": statistics.median(walls)}


class Ferry:
    def __init__(self, command, folder, extra):
        self.command, self.folder, self.extra = command, folder, extra

    def call(self, *arguments):
        done = subprocess.run([self.command, *arguments], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError("ferry %s: %s" % (arguments[0], (done.stderr or done.stdout).strip()[-1500:]))
        return done.stdout

    def build(self, onnx, batch, *options):
        engine = os.path.join(self.folder, "engine")
        text = self.call("build", onnx, "-o", engine, "--device", "cuda", "--gpu-fallback", "--fp16", "--shape",
                         "input=%dx3x224x224" % batch, "--json", "-q", *self.extra, *options)
        return engine, json.loads(text.strip().split("\n")[-1])

    def outputs(self, engine, x):
        path, to = os.path.join(self.folder, "x.npy"), os.path.join(self.folder, "out")
        numpy.save(path, x.float().cpu().numpy())
        self.call("run", engine, "--device", "cuda", "--gpu-fallback", "--input", "input=" + path, "--output", to, "-q")
        return torch.from_numpy(numpy.load(os.path.join(to, "output.npy")))

    def measure(self, engine):
        text = self.call("bench", engine, "--device", "cuda", "--gpu-fallback", "--duration", str(SECONDS), "--json",
                         "-q")
        figures = json.loads(text.strip().split("\n")[-1])
        return {"gpu_ms": figures.get("gpu_compute_median_ms", figures["median_ms"]), "wall_ms": figures["median_ms"],
                "qps": figures["throughput"]}

    def profile(self, engine):
        return self.call("bench", engine, "--device", "cuda", "--gpu-fallback", "--duration", "0.1", "--dumpProfile",
                         "-q")


def compare(name, batch, options, onnx, model, ferry):
    inputs = make_inputs(batch)
    cell = {"model": name, "batch": batch}
    with torch.inference_mode():
        want = model.float()(inputs[0]).cpu()
    peer = Torch(model, inputs)
    modes = {}
    with torch.inference_mode():
        cell["torch_cosine"] = cosine(peer.eager()(0).float().cpu(), want)
        for mode, make in (("eager", peer.eager), ("graph", peer.graph), ("compile", peer.compiled)):
            if mode in options.modes:
                modes[mode] = make()
    for mode, run in modes.items():
        cell[mode] = measure(run)
    if "ferry" in options.modes:
        try:
            begin = time.perf_counter()
            engine, built = ferry.build(onnx, batch)
            cell["build_s"], cell["layers_by_device"] = time.perf_counter() - begin, built["layers_by_device"]
            cell["cosine"] = cosine(ferry.outputs(engine, inputs[0]), want)
            cell["ferry"] = ferry.measure(engine)
            if options.profile:
                print(ferry.profile(engine))
        except RuntimeError as why:
            cell["failure"] = str(why)
    if "graph" in modes:
        again = measure(modes["graph"])
        cell["graph"] = {key: min(value, again[key]) for key, value in cell["graph"].items()}
    return cell


def best_of_torch(cell, peers):
    times = [cell[mode]["gpu_ms"] for mode in ("eager", "graph", "compile") if mode in cell]
    times += [p[mode]["gpu_ms"] for p in peers if (p["model"], p["batch"]) == (cell["model"], cell["batch"])
              for mode in ("eager", "graph", "compile") if mode in p]
    return min(times) if times else None


def show(cell, peers):
    best = best_of_torch(cell, peers)
    texts = ["%-16s %3d" % (cell["model"], cell["batch"])]
    for mode in ("eager", "graph", "compile", "ferry"):
        times = cell.get(mode)
        texts.append("%s %.3f (%.3f)" % (mode, times["gpu_ms"], times["wall_ms"]) if times else mode + " -")
    if "ferry" in cell:
        texts.append("ratio %.2f" % (best / cell["ferry"]["gpu_ms"]) if best else "ratio -")
        texts.append("cosine %.5f, torch %.5f" % (cell["cosine"], cell["torch_cosine"]))
        texts.append("built in %.1f s, layers %s" % (cell["build_s"], json.dumps(cell["layers_by_device"])))
    print("  ".join(texts))
    if "failure" in cell:
        print("  " + cell["failure"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ferry", default="ferry", help="the command")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--batches", default="1,8,64")
    parser.add_argument("--modes", default="graph,ferry", help="of eager, graph, compile, ferry (default: %(default)s)")
    parser.add_argument("--build-options", default="", help="more options for ferry build")
    parser.add_argument("--peers", help="torch's figures of an earlier run")
    parser.add_argument("--json", help="write all figures there")
    parser.add_argument("--profile", action="store_true", help="print ferry's time of each layer")
    parser.add_argument("--keep", help="folder for the exported models, used again when they are there")
    options = parser.parse_args()
    options.modes = options.modes.split(",")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    peers, cells = [], []
    if options.peers:
        with open(options.peers) as file:
            peers = json.load(file)
    print("%s, torch %s; ms of a batch by events (by the wall clock)" % (torch.cuda.get_device_name(),
                                                                         torch.__version__))
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or scratch
        os.makedirs(folder, exist_ok=True)
        ferry = Ferry(options.ferry, scratch, options.build_options.split())
        for name in options.models.split(","):
            onnx = os.path.join(folder, name + ".onnx")
            model = make_model(name)
            if "ferry" in options.modes and not os.path.exists(onnx):
                export(model, onnx)
            for batch in (int(b) for b in options.batches.split(",")):
                cells.append(compare(name, batch, options, onnx, copy.deepcopy(model), ferry))
                show(cells[-1], peers)
                if options.json:
                    with open(options.json, "w") as file:
                        json.dump(cells, file, indent=1)
    return any("failure" in c or not c.get("cosine", 1) >= c["torch_cosine"] - 0.001 for c in cells)


if __name__ == "__main__":
    sys.exit(main())
