# SPDX-License-Identifier: Apache-2.0
"""Interleaved measuring: every engine's process runs a slice in turn, the others stopped, in rounds of changing order.

A slice counts when the machine was whole: the canary reached its share of the peak right before and right after it, and
anything but the measured process used little of the processors meanwhile. The choice never looks at an engine's times.
The figure of a cell is the lower quartile of its slices' medians: disturbances only ever make things slower.
"""
import json
import random
import signal
import statistics
import subprocess
import time

from . import machine

CANARY_SHARE = 0.9
FOREIGN_CPUS = 0.15
LEAST_QUIET = 3


class Slice:
    def __init__(self, answer, foreign, share):
        self.times_ms = answer["times_ms"]
        self.quiet = foreign < FOREIGN_CPUS and share >= CANARY_SHARE


class Process:
    """One engine at one precision: started, loaded and stopped until its turn."""

    def __init__(self, engine, precision, command, log, environment):
        self.engine, self.precision = engine, precision
        self.slices, self.cpu_s, self.wall_s, self.rss_peak_mb = [], 0.0, 0.0, 0.0
        self.skip = None
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                                        env=environment)
        self.facts = self.hear()
        self.stop()

    def hear(self):
        line = self.process.stdout.readline()
        answer = json.loads(line) if line.strip() else {"skip": "ended with status %d" % self.process.wait()}
        self.skip = answer.get("skip")
        return answer

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGSTOP)

    def run_slice(self, ms, canary):
        before = canary.share()
        busy, begin = machine.busy_seconds(), time.perf_counter()
        self.process.send_signal(signal.SIGCONT)
        try:
            self.process.stdin.write("%g\n" % ms)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # hear() says with which status it ended
        answer = self.hear()
        if self.skip:
            return
        self.stop()
        foreign = (machine.busy_seconds() - busy - answer["cpu_all_s"]) / (time.perf_counter() - begin)
        self.slices.append(Slice(answer, foreign, min(before, canary.share())))
        self.cpu_s += answer["cpu_s"]
        self.wall_s += answer["wall_s"]
        self.rss_peak_mb = answer["rss_peak_mb"]

    def close(self):
        """Lets it write its outputs and end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.stdin.close()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def quiet_slices(self):
        return [s for s in self.slices if s.quiet]

    def figures(self):
        quiet = self.quiet_slices()
        counted = quiet if len(quiet) >= LEAST_QUIET else self.slices
        medians = sorted(statistics.median(s.times_ms) for s in counted)
        times = [t for s in counted for t in s.times_ms]
        return {"p25_ms": medians[(len(medians) - 1) // 4], "min_ms": min(times), "median_ms": statistics.median(times),
                "slices": len(self.slices), "quiet_slices": len(quiet), "disturbed": counted is not quiet,
                "cpu_per_wall": self.cpu_s / self.wall_s, "rss_peak_mb": self.rss_peak_mb,
                **{k: self.facts[k] for k in ("import_ms", "load_ms", "first_ms", "rss_base_mb")}}


def run_rounds(processes, canary, settings):
    """Until every process has settings.rounds quiet slices, or the group's seconds are over."""
    order, begin, n = random.Random(1), time.perf_counter(), 0
    while n < settings.rounds or time.perf_counter() - begin < settings.group_s:
        alive = [p for p in processes if not p.skip]
        if not alive or min(len(p.quiet_slices()) for p in alive) >= settings.rounds:
            return
        order.shuffle(alive)
        for process in alive:
            process.run_slice(settings.slice_ms, canary)
        n += 1
