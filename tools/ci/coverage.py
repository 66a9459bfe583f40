#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints line and function coverage of each part from gcovr's JSON, and fails below the figures asked for."""
import argparse
import collections
import json
import sys


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("json")
    parser.add_argument("--line", type=float, default=0)
    parser.add_argument("--function", type=float, default=0)
    arguments = parser.parse_args()
    with open(arguments.json, encoding="utf-8") as f:
        report = json.load(f)
    parts = collections.defaultdict(lambda: [0, 0, 0, 0])
    never = []
    worst = []
    for entry in report["files"]:
        part = entry["file"].split("/")[1]
        lines = [line for line in entry["lines"] if not line.get("gcovr/noncode", False)]
        reached = sum(1 for line in lines if line["count"] > 0)
        # What gcovr made up for lines without a function has no count.
        functions = [function for function in entry.get("functions", []) if "execution_count" in function]
        called = sum(1 for function in functions if function["execution_count"] > 0)
        # The key depends on gcovr's version.
        never += ["%s: %s" % (entry["file"], f.get("name", f.get("demangled_name"))) for f in functions
                  if not f["execution_count"]]
        if lines:
            worst.append((reached / len(lines), len(lines) - reached, entry["file"]))
        for i, n in enumerate((reached, len(lines), called, len(functions))):
            parts[part][i] += n
            parts["all of src"][i] += n
    print("%-12s %22s %22s" % ("part", "lines", "functions"))
    for part in sorted(parts, key=lambda p: (p == "all of src", p)):
        a, b, c, d = parts[part]
        print("%-12s %6d of %6d %5.1f %% %6d of %6d %5.1f %%" %
              (part, a, b, 100 * a / max(b, 1), c, d, 100 * c / max(d, 1)))
    print("least covered files:")
    for share, missing, name in sorted(worst)[:12]:
        print("  %5.1f %%  %4d lines missing  %s" % (100 * share, missing, name))
    for name in never[:40]:
        print("never called: " + name)
    a, b, c, d = parts["all of src"]
    line, function = 100 * a / max(b, 1), 100 * c / max(d, 1)
    good = b > 0 and line >= arguments.line and function >= arguments.function
    print("coverage: lines %.1f %% (at least %g), functions %.1f %% (at least %g): %s" %
          (line, arguments.line, function, arguments.function, "enough" if good else "TOO LOW"))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
