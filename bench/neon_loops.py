#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts the instructions of the matrix products' inner loops on 64-bit ARM, whose speed no emulator tells.

    python3 bench/neon_loops.py [--cc aarch64-linux-gnu-gcc] [--objdump aarch64-linux-gnu-objdump]

For each file of kernels: the innermost loop of a full tile, as it was compiled, and how many cycles its run takes at least
on three cores: each has two vector pipelines, and the busiest of those, of the loads and of dispatch is the limit. Which
pipelines an instruction uses is in UNITS, from Arm's software optimisation guides, whose tables LLVM's scheduling models repeat (for the
A78 there is none: the conversions' pipelines are those of "Arm Neoverse N1 Software Optimization Guide", whose vector unit is alike):

    Cortex-A57    "Cortex-A57 Software Optimization Guide" (UAN 0015B): three micro-operations dispatched and one vector loaded a cycle; a
                  128-bit floating-point instruction takes both pipelines, products of integers the first, sadalp the second
    Cortex-A78AE  "Arm Cortex-A78 Core Software Optimization Guide": six dispatched and, counted here, two vectors loaded a cycle; widening
                  products of integers and conversions of f16 go to the first pipeline (the latter twice), sadalp to the second
    Neoverse N2   "Arm Neoverse N2 Core Software Optimization Guide": as the A78, with products of matrices of int8
"""
import argparse
import collections
import os
import re
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
Kernels = collections.namedtuple("Kernels", "name flags since run")
A57, A78, N2 = range(3)
# since: the first core that has the instructions. run: products of each row that are followed by widening the sums (0: none).
FILES = (
    Kernels("gemm_f32_neon", "", A57, 0),
    Kernels("gemm_f16_neonfp16", "-march=armv8.2-a+fp16", A78, 64),
    Kernels("gemm_s8_neon", "", A57, 0),
    Kernels("gemm_s8_neondot", "-march=armv8.2-a+dotprod", A78, 0),
    Kernels("gemm_s8_neoni8mm", "-march=armv8.2-a+dotprod+i8mm", N2, 0),
)
FLAGS = "-std=c11 -O3 -DNDEBUG -ffp-contract=off -fno-math-errno -fno-trapping-math".split()
DISPATCH, LOADS = (3, 6, 5), (1, 2, 2)
# Multiply-adds of an instruction with 128-bit operands, by the arrangement of what it writes.
PRODUCTS = {("fmla", "4s"): 4, ("fmla", "8h"): 8, ("sdot", "4s"): 16, ("smmla", "4s"): 32, ("smull", "8h"): 8,
            ("smull2", "8h"): 8, ("smlal", "8h"): 8, ("smlal2", "8h"): 8}
# Micro-operations of an instruction on (the first vector pipeline, the second, either), on the A57 and on the others; (0, 0, 1) where
# nothing is said.
UNITS = {"fmla": ((0, 0, 2), (0, 0, 1)), "fcvtl": ((0, 0, 3), (2, 0, 0)), "fcvtl2": ((0, 0, 3), (2, 0, 0)),
         **{name: ((1, 0, 0), (1, 0, 0)) for name in ("smull", "smull2", "smlal", "smlal2")}, "sadalp": ((0, 1, 0), (0, 1, 0))}
LINE = re.compile(r"^\s*([0-9a-f]+):\s+(\S+)\s*(.*)$")
TARGET = re.compile(r"\b([0-9a-f]+) <")


def disassemble(kernels, tools, folder):
    made = os.path.join(folder, kernels.name + ".o")
    source = os.path.join(ROOT, "src", "backend", "cpu", "arm", kernels.name + ".c")
    subprocess.run([tools.cc, *FLAGS, *kernels.flags.split(), "-I" + os.path.join(ROOT, "include"),
                    "-I" + os.path.join(ROOT, "src"), "-c", source, "-o", made], check=True)
    text = subprocess.run([tools.objdump, "-d", "--no-show-raw-insn", made], check=True, stdout=subprocess.PIPE).stdout
    return [(int(m[1], 16), m[2], m[3]) for m in map(LINE.match, text.decode().splitlines()) if m]


def loops(instructions):
    """Bodies that end in a branch back to their first instruction and hold no other such branch."""
    index = {address: i for i, (address, _, _) in enumerate(instructions)}
    for end, (address, operation, operands) in enumerate(instructions):
        target = TARGET.search(operands)
        if not operation.startswith(("b.", "cb", "tb")) or not target or int(target[1], 16) >= address:
            continue
        begin = index.get(int(target[1], 16))
        body = instructions[begin:end + 1] if begin is not None else []
        inner = [a for a, o, t in body[:-1] if o.startswith(("b.", "cb", "tb")) and
                 (m := TARGET.search(t)) and body[0][0] <= int(m[1], 16) <= a]
        if body and not inner:
            yield body


def products(operation, operands):
    arrangement = re.match(r"v\d+\.(\w+)", operands)
    return PRODUCTS.get((operation, arrangement[1]), 0) if arrangement else 0


def multiply_adds(body):
    return sum(products(o, t) for _, o, t in body)


def density(body):
    return multiply_adds(body) / len(body)


def main_loop(bodies):
    """The loop over the shared dimension of a full tile: those of narrow ones and of stores hold fewer multiply-adds an instruction. An odd
    number of rows may make as many products as the next even one, with an instruction less."""
    bodies = list(bodies)
    most = max(map(density, bodies))
    return max((body for body in bodies if density(body) > 0.9 * most), key=lambda body: (multiply_adds(body), len(body)))


def loaded(operation, operands):
    """Vector registers loaded; a pair counts twice."""
    return len(re.findall(r"\b[sdqv]\d+", operands.split("[")[0])) if operation in ("ldr", "ldp", "ldur", "ld1", "ld1r") else 0


def cycles(body, core, widened=0):
    """The least for one run of the loop. widened: vectors of f16 sums that are widened and added meanwhile, on average."""
    uses, loads = [], 0
    for _, operation, operands in body:
        count = loaded(operation, operands)
        loads += count
        if operation in ("ld1", "ld1r") or (re.search(r"\bv\d+\.", operands) and not count):
            uses.append(UNITS.get(operation, ((0, 0, 1), (0, 0, 1)))[core > A57])
    first, second, either = (sum(u[i] for u in uses) for i in range(3))
    # Each vector of eight sums becomes two of four, which are multiplied by the scale and added.
    first, either = first + widened * 4, either + widened * 2
    vectors = first + second + either
    return max(first, second, vectors / 2, loads / LOADS[core], (vectors + loads + scalars(body)) / DISPATCH[core])


def scalars(body):
    return sum(1 for _, _, t in body if not re.search(r"\b[sdqv]\d+", t))


def row(kernels, tools, folder):
    body = main_loop(loops(disassemble(kernels, tools, folder)))
    macs = multiply_adds(body)
    steps = {t.rsplit(".", 1)[1] for _, o, t in body if o == "fmla" and "8h" in t}  # h[0] to h[7]: a step of k each
    sums = len({t.split(",")[0] for _, o, t in body if o == "fmla" and "8h" in t})
    widened = sums * len(steps) / kernels.run if kernels.run else 0
    cells = [kernels.name, len(body), sum(1 for _, o, t in body if products(o, t)), sum(loaded(o, t) for _, o, t in body),
             macs, "%.3f" % (len(body) / macs)]
    for core in (A57, A78, N2):
        least = cycles(body, core, widened) if core >= kernels.since else 0
        cells += ["%.1f" % least, "%.1f" % (macs / least)] if least else ["-", "-"]
    return "| " + " | ".join(map(str, cells)) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cc", default="aarch64-linux-gnu-gcc")
    parser.add_argument("--objdump", default="aarch64-linux-gnu-objdump")
    tools = parser.parse_args()
    print("| kernels | instructions | products | vector loads | multiply-adds | instructions each | A57 cycles | A57 "
          "multiply-adds a cycle | A78AE cycles | A78AE multiply-adds a cycle | N2 cycles | N2 multiply-adds a cycle |")
    print("|---|" + "---:|" * 11)
    with tempfile.TemporaryDirectory() as folder:
        for kernels in FILES:
            print(row(kernels, tools, folder))


if __name__ == "__main__":
    main()
