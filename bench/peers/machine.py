# SPDX-License-Identifier: Apache-2.0
"""The machine: what it is, what it can do at most, and whether it is disturbed right now."""
import json
import os
import platform
import subprocess
import sys

BENCH = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def compile_c(source, to, extra=()):
    """Compiles one C file of bench/ with the compiler that is here, for this machine."""
    command = [os.environ.get("CC", "cc"), "-O3", "-march=native", "-pthread", os.path.join(BENCH, source), "-o", to]
    done = subprocess.run(command + list(extra), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit("%s does not compile here:\n%s" % (source, done.stdout[-2000:]))
    return to


def describe():
    processor, flags = platform.machine(), ""
    with open("/proc/cpuinfo") as f:
        for line in f:
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                processor = value.strip()
            if key.strip() in ("flags", "Features") and not flags:
                flags = value.strip()
    wanted = ("avx", "fma", "amx", "asimd", "i8mm", "sve", "bf16")
    return {"processor": processor, "cpus": os.cpu_count(), "virtual": "hypervisor" in flags.split(),
            "flags": [f for f in flags.split() if f.startswith(wanted)]}


def measure_peak(program, threads):
    """{"1": {"fp32": GFLOP/s, "int8": ..., "bf16": ...}, "2": ...}; the best of several tries."""
    best = {}
    for _ in range(3):
        done = subprocess.run([program, str(threads)], stdout=subprocess.PIPE, check=True)
        for count, figures in json.loads(done.stdout.decode()).items():
            kept = best.setdefault(count, {})
            for name, value in figures.items():
                kept[name] = max(value, kept.get(name, 0))
    return best


def busy_seconds():
    """Seconds that anything has used so far of the processors that this process may use, time stolen by the machine's
    host included."""
    ours, busy = {"cpu%d" % n for n in os.sched_getaffinity(0)}, 0
    with open("/proc/stat") as f:
        for line in f:
            name, *ticks = line.split()[:9]
            if name in ours:
                ticks = [int(x) for x in ticks]
                busy += sum(ticks) - ticks[3] - ticks[4]
    return busy / os.sysconf("SC_CLK_TCK")


class Canary:
    """A few milliseconds of arithmetic, now and again: the share of the peak that it reaches tells what no counter of a
    virtual machine does, such as two virtual processors put on one core."""

    def __init__(self, program, threads, peak):
        self.peak, self.shares = peak, []
        self.process = subprocess.Popen([program, "--probe", str(threads)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def share(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.shares.append(float(self.process.stdout.readline()) / self.peak)
        return self.shares[-1]

    def close(self):
        self.process.stdin.close()
        self.process.wait()
