# SPDX-License-Identifier: Apache-2.0
"""bench/python_overhead.py works: it measures calls from Python beside calls from C. (What it measures is for people:
a time decides no test.)"""
import os
import sys
import unittest

import python_case as case

sys.path.insert(0, os.path.join(case.SOURCE, "bench"))

import python_overhead  # noqa: E402


class Overhead(unittest.TestCase):
    def test_both_ways_are_measured(self):
        times = python_overhead.measure(rounds=3, calls=50)
        print(times)
        self.assertEqual(sorted(times), ["c", "run", "run_out", "run_turns"])
        self.assertGreater(times["c"], 0)
        for way in ("run", "run_out", "run_turns"):
            self.assertGreater(times["c"] + times[way]["over_c"], 0)
            # Python does something between two calls, and C nothing.
            self.assertGreater(times[way]["between"], 0)


if __name__ == "__main__":
    unittest.main()
