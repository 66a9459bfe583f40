# SPDX-License-Identifier: Apache-2.0
"""Which processors to measure on: one of each core, as far as the system tells, and as measured where it does not."""
import os
import re
import subprocess

CPU = "/sys/devices/system/cpu/cpu%d/"
REAL = 0.9  # of so many times one thread's peak: less, and the processors share cores


def read(path):
    try:
        with open(path) as f:
            return f.read().strip()
    except OSError:
        return None


def one_of_each_core():
    """Processors that this process may use, the first of each core; those that share the last cache stand together."""
    first = {}
    for cpu in sorted(os.sched_getaffinity(0)):
        place = tuple(read(CPU % cpu + "topology/" + name) for name in ("physical_package_id", "core_id"))
        siblings = read(CPU % cpu + "topology/thread_siblings_list") or str(cpu)
        first.setdefault((place, siblings), (read(CPU % cpu + "cache/index3/shared_cpu_list") or "", cpu))
    return [cpu for _, cpu in sorted(first.values(), key=lambda found: (first_number(found[0]), found[1]))]


def first_number(text):
    found = re.match(r"\d+", text)
    return int(found.group()) if found else 0


def share_of_peak(peak, cpus):
    """What the processors reach together, of so many times what the first reaches alone."""
    def rate(count):
        done = subprocess.run([peak, "--probe", str(count)], input="\n\n\n\n\n", stdout=subprocess.PIPE, text=True,
                              check=True)
        return max(map(float, done.stdout.split()))

    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, cpus)
        return rate(len(cpus)) / (rate(1) * len(cpus))
    finally:
        os.sched_setaffinity(0, before)


def groups(peak, size):
    """The processors in groups of `size`, all of them on cores of their own; the best that could be, if none are."""
    cpus, found, best = one_of_each_core(), [], (0, [])
    while len(cpus) >= size:
        for partner in range(1, len(cpus) - size + 2) if size > 1 else [0]:
            tried = cpus[:1] + cpus[partner:partner + size - 1]
            share = share_of_peak(peak, sum(found, tried))
            best = max(best, (share, tried))
            if share >= REAL:
                found.append(tried)
                cpus = [c for c in cpus if c not in tried]
                break
        else:
            cpus = cpus[1:]
    return found or [best[1]]
