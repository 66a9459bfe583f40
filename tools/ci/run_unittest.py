#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs one unittest module for ctest, a line a case in cmocka's form, so that one summary can count every test.

Exit status: 0 passed, 1 failed, 77 when every case was skipped (ctest's SKIP_RETURN_CODE)."""
import importlib.util
import os
import sys
import traceback
import unittest


class Lines(unittest.TestResult):
    def _line(self, word, test, text=""):
        name = test.id().split(".", 1)[-1] if isinstance(test, unittest.TestCase) else str(test)
        print("[%s] %s%s" % (word, name, ": " + text if text else ""), flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._line("       OK ", test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._line("  SKIPPED ", test, reason)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        traceback.print_exception(*err)
        self._line("  FAILED  ", test, str(err[1]).split("\n")[0])

    def addError(self, test, err):
        super().addError(test, err)
        traceback.print_exception(*err)
        self._line("  FAILED  ", test, "%s: %s" % (err[0].__name__, str(err[1]).split("\n")[0]))

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            traceback.print_exception(*err)
            self._line("  FAILED  ", subtest, str(err[1]).split("\n")[0])

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._line("  FAILED  ", test, "passed though a failure was expected")

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self._line("       OK ", test, "fails as expected")


def main():
    if len(sys.argv) < 2:
        print("usage: run_unittest.py FILE [CASE...]", file=sys.stderr)
        return 2
    path = os.path.abspath(sys.argv[1])
    sys.path.insert(0, os.path.dirname(path))
    sys.path.insert(1, os.path.dirname(os.path.dirname(path)))
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except unittest.SkipTest as reason:
        print("[  SKIPPED ] %s: %s" % (name, reason))
        return 77
    loader = unittest.defaultTestLoader
    suite = loader.loadTestsFromNames(sys.argv[2:], module) if sys.argv[2:] else loader.loadTestsFromModule(module)
    result = Lines()
    suite.run(result)
    if not result.testsRun and not result.skipped:  # a class that is skipped as a whole counts no test
        print("[  FAILED  ] %s: holds no test" % name)
        return 1
    if not result.wasSuccessful():
        return 1
    return 77 if result.skipped and len(result.skipped) >= result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main())
