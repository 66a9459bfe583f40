#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts the instructions of the matrix products' inner loops on 64-bit ARM, whose speed no emulator tells.

    python3 bench/neon_loops.py [--cc aarch64-linux-gnu-gcc] [--objdump aarch64-linux-gnu-objdump]

For each file of kernels: the innermost loop with the most multiply-adds an instruction, as it was compiled. A loop can't run faster than
its multiplications or its loads can be issued, which is shown for two cores, in cycles of one run through the loop:

    Cortex-A57    one 128-bit multiply-add and one 128-bit load a cycle
    Cortex-A78AE  two of each a cycle (sdot and smmla too; widening products go to one unit)

They are the throughputs that Arm's software optimisation guides of the two cores give for these instructions.
"""
import argparse
import os
import re
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FILES = (("gemm_f32_neon", ""), ("gemm_s8_neon", ""), ("gemm_s8_neondot", "-march=armv8.2-a+dotprod"))
FLAGS = "-std=c11 -O3 -DNDEBUG -ffp-contract=off -fno-math-errno -fno-trapping-math".split()
# Multiply-adds of one instruction, and on how many units of the A78AE it can run.
PRODUCTS = {"fmla": (4, 2), "sdot": (16, 2), "usdot": (16, 2), "smmla": (32, 2), "smull": (8, 1), "smull2": (8, 1),
            "smlal": (8, 1), "smlal2": (8, 1)}
LINE = re.compile(r"^\s*([0-9a-f]+):\s+(\S+)\s*(.*)$")


def disassemble(name, flags, tools, folder):
    made = os.path.join(folder, name + ".o")
    source = os.path.join(ROOT, "src", "backend", "cpu", "arm", name + ".c")
    subprocess.run([tools.cc, *FLAGS, *flags.split(), "-I" + os.path.join(ROOT, "include"),
                    "-I" + os.path.join(ROOT, "src"), "-c", source, "-o", made], check=True)
    text = subprocess.run([tools.objdump, "-d", "--no-show-raw-insn", made], check=True, stdout=subprocess.PIPE).stdout
    return [(int(m[1], 16), m[2], m[3]) for m in map(LINE.match, text.decode().splitlines()) if m]


def loops(instructions):
    """Bodies that end in a branch back to their first instruction and hold no other such branch."""
    index = {address: i for i, (address, _, _) in enumerate(instructions)}
    for end, (address, operation, operands) in enumerate(instructions):
        target = re.search(r"\b([0-9a-f]+) <", operands)
        if not operation.startswith(("b.", "cb", "tb")) or not target or int(target[1], 16) >= address:
            continue
        begin = index.get(int(target[1], 16))
        body = instructions[begin:end + 1] if begin is not None else []
        inner = [a for a, o, t in body[:-1] if o.startswith(("b.", "cb", "tb")) and
                 (m := re.search(r"\b([0-9a-f]+) <", t)) and body[0][0] <= int(m[1], 16) <= a]
        if body and not inner:
            yield body


def multiply_adds(body):
    return sum(PRODUCTS[o][0] * (0.5 if ".2s" in t or (o[0] == "s" and "l" in o and ".4s" in t.split(",")[0]) else 1)
               for _, o, t in body if o in PRODUCTS)


def density(body):
    """What tells the loop over the shared dimension of a full tile from those of narrow ones and of stores."""
    return multiply_adds(body) / len(body)


def loaded_registers(body):
    """Vector registers loaded; a pair counts twice."""
    return sum(len(re.findall(r"\b[sdqv]\d+", t.split("[")[0])) for _, o, t in body if o in ("ldr", "ldp", "ld1", "ldur",
                                                                                          "ld1r") and "[" in t)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cc", default="aarch64-linux-gnu-gcc")
    parser.add_argument("--objdump", default="aarch64-linux-gnu-objdump")
    tools = parser.parse_args()
    print("| kernels | instructions | products | vector loads | multiply-adds | instructions each | A57 cycles | A57 "
          "multiply-adds a cycle | A78AE cycles | A78AE multiply-adds a cycle |")
    print("|---|" + "---:|" * 9)
    with tempfile.TemporaryDirectory() as folder:
        for name, flags in FILES:
            body = max(loops(disassemble(name, flags, tools, folder)), key=density)
            products = [PRODUCTS[o] for _, o, _ in body if o in PRODUCTS]
            loads, macs = loaded_registers(body), multiply_adds(body)
            vectors = sum(1 for _, o, t in body if re.search(r"\bv\d+\.", t) and o not in ("ld1", "ld1r"))
            a57 = max(vectors, loads)
            a78 = max(sum(1 / units for _, units in products), vectors / 2, loads / 2, len(body) / 4)
            has_a57 = "dot" not in name
            print("| %s | %d | %d | %d | %d | %.3f | %s | %s | %.1f | %.1f |" % (
                name, len(body), len(products), loads, macs, len(body) / macs, a57 if has_a57 else "-",
                "%.1f" % (macs / a57) if has_a57 else "-", a78, macs / a78))


if __name__ == "__main__":
    main()
