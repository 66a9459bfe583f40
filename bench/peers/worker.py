# SPDX-License-Identifier: Apache-2.0
"""The process of one engine other than ferry (whose process is ferry_worker.c, and does the same):

    worker.py prepare ENGINE MODEL-JSON PRECISION FOLDER N-CALIBRATION
    worker.py measure ENGINE MODEL-JSON PRECISION PATH THREADS INPUTS.npy OUTPUTS.npy

`prepare` prints the path that `measure` loads. `measure` loads it, runs once, and prints figures; then for every line
"MS" on its input it runs inferences for so long and prints their times; at the end of its input it writes the first
output for each sample. Everything is printed as lines of JSON; what libraries print goes to the standard error.
"""
import glob
import importlib
import json
import os
import sys
import time

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from peers.model import Model, Skip

LEAST_TIMES = 3


def memory_mb(key):
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith(key + ":"):
                return int(line.split()[1]) / 1024
    return 0.0


def reset_peak():
    """What was resident only for a while before the engine is there shall not hide what the engine takes."""
    try:
        with open("/proc/self/clear_refs", "w") as f:
            f.write("5")
    except OSError:
        pass


def warm_page_cache(path):
    """So that every engine loads from memory: the file and those beside it that belong to it (.bin). In small pieces,
    for the peak of this process would remember a large one."""
    for part in glob.glob(glob.escape(os.path.splitext(path)[0]) + ".*"):
        with open(part, "rb") as f:
            while f.read(1 << 18):
                pass


class Rotation:
    """The engine on one sample after the other."""

    def __init__(self, engine, count):
        self.engine, self.count, self.next = engine, count, 0

    def __call__(self):
        self.engine.run(self.next)
        self.next = (self.next + 1) % self.count


def run_slice(run, ms):
    clock, used = time.perf_counter, time.process_time
    cpu_before, warm_until = used(), clock() + ms * 0.3e-3
    run()
    while clock() < warm_until:
        run()
    times, cpu_begin, begin = [], used(), clock()
    while len(times) < LEAST_TIMES or clock() < begin + ms * 1e-3:
        started = clock()
        run()
        times.append((clock() - started) * 1e3)
    wall, cpu = clock() - begin, used()
    return {"cpu_s": cpu - cpu_begin, "wall_s": wall, "cpu_all_s": cpu - cpu_before,
            "rss_peak_mb": memory_mb("VmHWM"), "times_ms": times}


def write_outputs(engine, samples, path):
    import numpy

    outputs = []
    for i in range(len(samples)):
        engine.run(i)
        outputs.append(numpy.asarray(engine.output(), numpy.float32).reshape(-1).copy())
    numpy.save(path, numpy.stack(outputs))


def measure(say, engine, model, precision, path, threads, inputs, outputs):
    import numpy

    samples = [s[None] for s in numpy.load(inputs)]
    warm_page_cache(path)
    clock = time.perf_counter
    begun = clock()
    engine.import_module()
    imported = clock()
    engine.take_inputs(model, samples)
    reset_peak()
    base_mb = memory_mb("VmHWM")
    before = clock()
    engine.load(path, model, precision, int(threads))
    ready = clock()
    run = Rotation(engine, len(samples))
    run()
    say({"import_ms": (imported - begun) * 1e3, "load_ms": (ready - before) * 1e3, "first_ms": (clock() - ready) * 1e3,
         "rss_base_mb": base_mb})
    for line in sys.stdin:
        say(run_slice(run, float(line)))
    write_outputs(engine, samples, outputs)


def main(what, name, model, precision, *rest):
    lines = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(fields):
        lines.write(json.dumps(fields) + "\n")
        lines.flush()

    try:
        engine = importlib.import_module("peers.engine_" + name).Engine()
        model = Model.from_json(model)
        if what == "prepare":
            begun = time.perf_counter()
            path = engine.prepare(model, precision, rest[0], int(rest[1]))
            say({"path": path, "seconds": time.perf_counter() - begun})
        else:
            measure(say, engine, model, precision, *rest)
    except Skip as reason:
        say({"skip": str(reason)})
    except Exception as error:  # whatever a library throws: the cell has no figure, and the report says why
        say({"skip": ("%s: %s" % (type(error).__name__, error))[:300]})


if __name__ == "__main__":
    main(*sys.argv[1:])
