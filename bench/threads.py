#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What more threads and more contexts give on the CPU: needs a machine with as many cores as it is asked about.

    python3 bench/threads.py MODEL.onnx.. --ferry build/release --threads 1,2,4

Prints, for each model and in tables: the time with each number of threads, from an engine built for it; and inferences a
second of one context alone, of two contexts of one engine in one process, and of one context in each of two processes,
one thread each. Rounds are interleaved, figures are medians. The processors are chosen so that each has a core of its
own, which is measured (bench/peak.c): what they reach together, of so many times what one reaches, is printed above.

--groups N only prints which processors make up groups of N, for measuring on several at once (bench/cpu.py --cores).
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

from peers import cores, machine


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--ferry", metavar="BUILD", default="build/release", help="build folder (default %(default)s)")
    parser.add_argument("--build-options", type=str.split, default=[], help="more options for `ferry build`")
    parser.add_argument("--threads", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="of one measurement (default %(default)s)")
    parser.add_argument("--work", default="out/bench-threads", help="engines (default %(default)s)")
    parser.add_argument("--groups", type=int, metavar="N")
    return parser.parse_args()


class Bench:
    def __init__(self, arguments):
        self.command, self.arguments = os.path.join(arguments.ferry, "ferry"), arguments

    def build(self, model, threads):
        engine = os.path.join(self.arguments.work, "%s-%d.engine" % (name_of(model), threads))
        subprocess.run([self.command, "build", model, "-o", engine, "-q", "--task", "raw", "--threads", str(threads),
                        *self.arguments.build_options], stdout=subprocess.DEVNULL, check=True)
        return engine

    def start(self, engine, threads, contexts):
        return subprocess.Popen([self.command, "bench", engine, "-q", "--json", "--threads", str(threads), "--streams",
                                 str(contexts), "--duration", str(self.arguments.seconds)], stdout=subprocess.PIPE,
                                text=True)

    def measure(self, engine, threads=1, contexts=1, processes=1):
        """(median milliseconds of an inference, inferences a second of all processes together)"""
        started = [self.start(engine, threads, contexts) for _ in range(processes)]
        found = [json.loads(process.communicate()[0].splitlines()[-1]) for process in started]
        return found[0]["median_ms"], sum(f["throughput"] for f in found)


def name_of(model):
    return os.path.splitext(os.path.basename(model))[0]


def medians(rounds):
    return [statistics.median(column) for column in zip(*rounds)]


def row(*cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def head(*titles):
    print()
    row(*titles)
    print("|---" + "|---:" * (len(titles) - 1) + "|")


def threads_table(bench, arguments):
    counts = arguments.threads
    head("model", *("%d thread%s, ms" % (n, "s" * (n > 1)) for n in counts), *("%d times" % n for n in counts[1:]))
    for model in arguments.models:
        engines = [bench.build(model, n) for n in counts]
        ms = medians([[bench.measure(engine, n)[0] for engine, n in zip(engines, counts)]
                      for _ in range(arguments.rounds)])
        row(name_of(model), *("%.2f" % x for x in ms), *("%.2f" % (ms[0] / x) for x in ms[1:]))


def contexts_table(bench, arguments):
    head("model", "one context alone, inferences/s", "two contexts", "two processes", "two contexts, times one",
         "two processes, times one")
    for model in arguments.models:
        engine = bench.build(model, 1)
        one, contexts, processes = medians([[bench.measure(engine)[1], bench.measure(engine, contexts=2)[1],
                                             bench.measure(engine, processes=2)[1]] for _ in range(arguments.rounds)])
        row(name_of(model), "%.1f" % one, "%.1f" % contexts, "%.1f" % processes, "%.2f" % (contexts / one),
            "%.2f" % (processes / one))


def main():
    arguments = parse()
    os.makedirs(arguments.work, exist_ok=True)
    peak = machine.compile_c("peak.c", os.path.join(arguments.work, "peak"))
    if arguments.groups:
        for group in cores.groups(peak, arguments.groups):
            print(",".join(map(str, group)))
        return
    most = max(2, *arguments.threads)
    chosen = cores.groups(peak, most)[0]
    if len(chosen) < 2:
        sys.exit("one processor is not enough")
    known = machine.describe()
    print("%s, %d processors; measured on %s, which reach %.2f of %d times one's peak. %s" % (
        known["processor"], known["cpus"], ",".join(map(str, chosen)), cores.share_of_peak(peak, chosen), len(chosen),
        time.strftime("%Y-%m-%d")))
    bench = Bench(arguments)
    os.sched_setaffinity(0, chosen)
    threads_table(bench, arguments)
    os.sched_setaffinity(0, chosen[:2])
    contexts_table(bench, arguments)


if __name__ == "__main__":
    main()
