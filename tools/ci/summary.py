#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts the cases inside the tests that ctest ran, names the failed and the skipped ones, ends with one plain line.

usage: summary.py BUILD_DIR [--title TEXT]
Reads BUILD_DIR/Testing/Temporary/LastTest.log, which every version of ctest writes whole, and ctest's standard output
in BUILD_DIR/ctest.txt, which alone says what was skipped as a whole. Exit status 1 if a test failed or none ran.
A program of cmocka (or of run_unittest.py) counts by its cases; any other test counts as one."""
import argparse
import os
import re
import sys

CASE = re.compile(r"\[ +(OK|FAILED|SKIPPED) +\] (?!\d+ test\()(?:tests: )?(\w[^:]*)(: .*)?$")


def read_text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def read_log(text):
    """Yields (test name, output lines, did it pass) for each test of the log."""
    parts = re.split(r"^\d+/\d+ Testing: (.*)$", text, flags=re.M)
    for name, body in zip(parts[1::2], parts[2::2]):
        output, _, after = body.partition("\nOutput:\n")[2].rpartition("<end of output>")
        yield name.strip(), output.splitlines(), re.search(r"^Test Passed\.", after, flags=re.M) is not None


def cases_of(lines):
    """Case name -> (verdict, line). cmocka lists some twice; a failure stays one."""
    cases = {}
    for line in lines:
        found = CASE.search(line.rstrip())
        if found and cases.get(found.group(2), ("",))[0] != "FAILED":
            cases[found.group(2)] = (found.group(1), found.group(2) + (found.group(3) or ""))
    return cases


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--title", default="tests")
    arguments = parser.parse_args()
    log = read_text(os.path.join(arguments.build, "Testing", "Temporary", "LastTest.log"))
    said = read_text(os.path.join(arguments.build, "ctest.txt"))
    not_run = dict(re.findall(r"^\s*\d+ - (\S+) \((.*)\)$", said, flags=re.M))
    passed, failed, skipped, seen = [], [], [], set()
    for test, lines, good in read_log(log):
        seen.add(test)
        cases = cases_of(lines)
        verdict = not_run.get(test, "Passed" if good else "Failed")
        for word, line in cases.values():
            {"OK": passed, "FAILED": failed, "SKIPPED": skipped}[word].append("%s: %s" % (test, line))
        failures = sum(1 for word, _ in cases.values() if word == "FAILED")
        if verdict == "Skipped" and not cases:
            reason = next((line.strip() for line in lines if line.strip(" -")), "it says no reason")
            skipped.append("%s: %s" % (test, reason))
        elif verdict not in ("Passed", "Skipped") and not failures:
            # Also a crash, a leak report at exit or a time-out after cases that passed.
            failed.append("%s (%s)" % (test, verdict))
        elif verdict == "Passed" and not cases:
            passed.append(test)
    for test, verdict in not_run.items():
        if test not in seen:
            failed.append("%s (%s)" % (test, verdict))
    for title, names in (("skipped", skipped), ("FAILED", failed)):
        if names:
            print("%s %s:" % (arguments.title, title))
            for name in names:
                print("  " + name)
    print("%d passed, %d failed, %d skipped" % (len(passed), len(failed), len(skipped)))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
