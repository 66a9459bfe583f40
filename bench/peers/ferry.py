# SPDX-License-Identifier: Apache-2.0
"""ferry: engines built by the command, measured in a small C program that uses the library as any program does."""
import json
import os
import subprocess

from . import machine
from .model import Skip


class Ferry:
    def __init__(self, build_folder, work_folder, options):
        self.command = os.path.join(build_folder, "ferry")
        self.shared_object = os.path.join(build_folder, "libferry.so")
        self.work, self.options = work_folder, options
        self.worker = machine.compile_c("peers/ferry_worker.c", os.path.join(work_folder, "ferry_worker"), [
            "-I" + os.path.join(machine.BENCH, "..", "include"), "-L" + build_folder, "-lferry",
            "-Wl,-rpath," + os.path.abspath(build_folder)])

    def version(self):
        done = subprocess.run([self.command, "--version"], stdout=subprocess.PIPE, check=True)
        return done.stdout.decode().strip().rpartition(" ")[2]

    def engine_path(self, model, precision, threads):
        return os.path.join(self.work, "%s.ferry-%s-%d.engine" % (model.name, precision, threads))

    def build(self, model, precision, threads, n_calibration):
        """Builds where model or library are younger than the engine."""
        engine = self.engine_path(model, precision, threads)
        newest = max(os.path.getmtime(p) for p in (model.path, self.shared_object))
        if os.path.exists(engine) and os.path.getmtime(engine) > newest:
            return engine
        words = [self.command, "build", model.path, "-o", engine, "-q", "--task", "raw", "--threads", str(threads)] + self.options
        if precision == "bf16":
            words.append("--bf16")
        if precision == "int8":
            listed = os.path.join(self.work, model.name + ".pictures.txt")
            with open(listed, "w") as f:
                f.writelines(p + "\n" for p in model.pictures()[:n_calibration])
            words += ["--int8", "--bf16", "--calib", listed, "--calib-algo", "auto",
                      "--calib-cache", os.path.join(self.work, model.name + ".ferry.cache"), "--mean", ",".join(map(str, model.mean)), "--std", ",".join(map(str, model.std)),
                      "--resize", "stretch"]
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise Skip("build: " + done.stdout.strip()[-300:])
        return engine

    def inspect(self, engine):
        done = subprocess.run([self.command, "inspect", engine, "--json", "-q"], stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout.decode().strip().splitlines()[-1])

    def measuring(self, engine, threads, inputs, outputs):
        with open(engine, "rb") as f:  # into the page cache, as every engine's files are
            while f.read(1 << 20):
                pass
        return [self.worker, engine, inputs, outputs, str(threads)]
