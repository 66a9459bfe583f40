# SPDX-License-Identifier: Apache-2.0
"""A classifier, a detector and a segmentation network on ten real pictures each, from options alone: whether they work at
all. test_accuracy_full_slow.py asks for the exact figures on all pictures."""
import unittest

from accuracy_cases import CASES, evaluate


class AFewPictures(unittest.TestCase):
    pass


def make(case):
    def test(self):
        figures = evaluate(case, "--count", "10")
        self.assertEqual(figures["pictures"] + figures["without_truth"], 10)
        self.assertGreater(figures[case.key], 0.2)
    return test


for one in CASES:
    if one.quick:
        setattr(AFewPictures, "test_" + one.name, make(one))

if __name__ == "__main__":
    unittest.main()
