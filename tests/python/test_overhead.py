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
        print("C %.2f us, run() %+.2f us, run(out=) %+.2f us" % (times["c"], times["over_c"], times["over_c_out"]))
        self.assertEqual(sorted(times), ["c", "over_c", "over_c_out"])
        self.assertGreater(times["c"], 0)
        self.assertGreater(times["c"] + times["over_c"], 0)


if __name__ == "__main__":
    unittest.main()
