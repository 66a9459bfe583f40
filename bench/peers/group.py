# SPDX-License-Identifier: Apache-2.0
"""One model at one number of threads: prepares every engine's files, measures them side by side, judges the outputs."""
import contextlib
import json
import os
import subprocess
import sys

from . import rounds
from .model import Skip
from .setup import quiet_environment

WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py")


class Group:
    def __init__(self, model, threads, settings, ferry, canary):
        self.model, self.threads, self.settings, self.ferry, self.canary = model, threads, settings, ferry, canary
        self.log_path = os.path.join(settings.work, model.name + ".log")
        self.inputs = self.file("inputs.npy")
        self.skipped = []

    def file(self, ending):
        return os.path.join(self.settings.work, "%s.%s" % (self.model.name, ending))

    def write_inputs(self):
        """Pictures that calibration has not seen, where there are as many; random numbers without pictures."""
        import numpy

        n, seen = self.settings.samples, self.settings.calibration_count
        paths = self.model.pictures() if self.model.calibration else []
        if paths:
            fresh = paths[seen:] or paths
            samples = self.model.samples([fresh[i % len(fresh)] for i in range(n)])
        else:
            samples = numpy.random.default_rng(1).standard_normal([n] + self.model.shape[1:]).astype(numpy.float32)
        numpy.save(self.inputs, samples)

    def ask(self, words, log):
        done = subprocess.run([sys.executable, WORKER] + words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=log, env=quiet_environment(), check=False)
        lines = done.stdout.decode().strip().splitlines()
        answer = json.loads(lines[-1]) if lines else {"skip": "ended with status %d" % done.returncode}
        if "skip" in answer:
            raise Skip(answer["skip"])
        return answer

    def peer_command(self, engine, precision, log):
        text = self.model.to_json()
        path = self.ask(["prepare", engine, text, precision, self.settings.work,
                         str(self.settings.calibration_count)], log)["path"]
        return [sys.executable, WORKER, "measure", engine, text, precision, path, str(self.threads), self.inputs,
                self.outputs(engine, precision)]

    def outputs(self, engine, precision):
        return self.file("%s-%s.outputs.npy" % (engine, precision))

    def ferry_command(self, precision):
        engine = self.ferry.build(self.model, precision, self.threads, self.settings.calibration_count)
        return self.ferry.measuring(engine, self.threads, self.inputs, self.outputs("ferry", precision))

    def commands(self, log):
        """Converts, calibrates and builds what is not there yet: [(engine, precision, command of its process)]."""
        commands = []
        for precision in self.settings.precisions:
            for engine in self.settings.engines:
                try:
                    command = (self.ferry_command(precision) if engine == "ferry"
                               else self.peer_command(engine, precision, log))
                    commands.append((engine, precision, command))
                except Skip as reason:
                    self.skip(engine, precision, str(reason))
        return commands

    def prepare(self):
        with open(self.log_path, "w") as log:
            self.commands(log)

    def start(self, log):
        processes = []
        for engine, precision, command in self.commands(log):
            with contextlib.suppress(FileNotFoundError):
                os.remove(self.outputs(engine, precision))
            processes.append(rounds.Process(engine, precision, command, log, quiet_environment()))
        return processes

    def skip(self, engine, precision, why):
        self.skipped.append({"model": self.model.name, "engine": engine, "precision": precision,
                             "threads": self.threads, "why": why})

    def reference(self, log):
        """Outputs of ONNX Runtime in FP32: what everybody is held against. None without ONNX Runtime."""
        path = self.file("reference.npy")
        if os.path.exists(path) and os.path.getmtime(path) > os.path.getmtime(self.model.path):
            return path
        words = ["measure", "onnxruntime", self.model.to_json(), "fp32", self.model.path, "1", self.inputs, path]
        try:
            self.ask(words, log)
        except Skip:
            return None
        return path

    def measure(self):
        """Cells with figures; what has none is in self.skipped."""
        self.write_inputs()
        with open(self.log_path, "w") as log:
            reference = self.reference(log)
            processes = self.start(log)
            rounds.run_rounds(processes, self.canary, self.settings)
            for process in processes:
                process.close()
        return [cell for cell in (self.cell(p, reference) for p in processes) if cell]

    def cell(self, process, reference):
        if process.skip or not process.slices:
            self.skip(process.engine, process.precision, process.skip or "no slice was run")
            return None
        cell = {"model": self.model.name, "engine": process.engine, "precision": process.precision,
                "threads": self.threads, "cosines": cosines(self.outputs(process.engine, process.precision), reference)}
        cell.update(process.figures())
        if process.engine == "ferry":
            cell["macs"] = macs(self.ferry.inspect(self.ferry.engine_path(self.model, process.precision, self.threads)))
        return cell


def cosines(path, reference):
    """Of each sample's output to the reference's; [] when it has another size, None where either is missing."""
    import numpy

    if not reference or not os.path.exists(path):
        return None
    got, wanted = numpy.load(path), numpy.load(reference)
    got, wanted = (a.reshape(len(wanted), -1).astype(numpy.float64) if a.size % len(wanted) == 0 else a
                   for a in (got, wanted))
    if got.shape != wanted.shape:
        return []
    norms = numpy.linalg.norm(got, axis=1) * numpy.linalg.norm(wanted, axis=1)
    return [float(x) for x in (got * wanted).sum(axis=1) / numpy.maximum(norms, 1e-30)]


def macs(inspected):
    """Multiply-adds of the engine by the precision that they run in."""
    return inspected["summary"].get("macs_by_precision", {})
