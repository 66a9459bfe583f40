# SPDX-License-Identifier: Apache-2.0
"""bench/cpu.py on a small model: every figure is there, outputs agree, and a second run adds to the first."""
import json
import os
import re
import shutil
import subprocess
import sys
import unittest

from cli_case import CliCase
from support.ferry_python import COMMAND, SOURCE

BUILD = os.environ.get("FERRY_BUILD_DIR", "")


def can_run():
    """ferry's worker is compiled and run here: no emulator, no sanitizer that must come first in a program."""
    if len(COMMAND) != 1 or not shutil.which(os.environ.get("CC", "cc")):
        return False
    with open(os.path.join(BUILD, "CMakeCache.txt")) as f:
        return "FERRY_SANITIZE:STRING=\n" in f.read()


@unittest.skipUnless(BUILD and can_run(), "the benchmark's programs can't be compiled and run here")
class BenchCpu(CliCase):
    def bench(self, *words):
        done = subprocess.run(
            [sys.executable, os.path.join(SOURCE, "bench", "cpu.py"), self.model, "--ferry", BUILD, "--calib",
             self.pictures, "--calibration-count", "4", "--samples", "3", "--work", self.path("work"), "--rounds", "1",
             "--slice-ms", "2", "--group-s", "0", "--threads", "1"] + list(words),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        with open(os.path.join(self.path("work"), "cpu.json")) as f:
            return done.stdout.decode(), json.load(f)

    def test_layers_of_a_network_are_summed_up_by_kind(self):
        done = subprocess.run([sys.executable, os.path.join(SOURCE, "bench", "cpu_layers.py"), self.engine, "--ferry",
                               BUILD, "--profiles", "2", "--duration", "0"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("| network | ms |", done.stdout)
        shares = [int(x) for x in re.findall(r"(\d+) %(?! ?\))", done.stdout.split("---:|\n")[1])]
        self.assertTrue(80 <= sum(shares) <= 110, done.stdout)

    def test_measures_and_adds(self):
        _, results = self.bench("--engines", "ferry,onnxruntime", "--precisions", "fp32")
        if results["skipped"]:
            self.skipTest("onnxruntime: " + results["skipped"][0]["why"])
        self.assertEqual([c["engine"] for c in results["cells"]], ["ferry", "onnxruntime"])
        for cell in results["cells"]:
            self.assertEqual(len(cell["cosines"]), 3)
            self.assertGreater(min(cell["cosines"]), 0.99999)
            for key in ("p25_ms", "min_ms", "load_ms", "first_ms"):
                self.assertGreater(cell[key], 0, key)
            self.assertGreater(cell["rss_peak_mb"], cell["rss_base_mb"])
        text, results = self.bench("--engines", "ferry", "--precisions", "int8")
        self.assertEqual([(c["engine"], c["precision"]) for c in results["cells"]],
                         [("ferry", "fp32"), ("onnxruntime", "fp32"), ("ferry", "int8")])
        for title in ("## FP32, 1 thread", "## INT8, 1 thread", "## Loading and memory, FP32"):
            self.assertIn(title, text)


if __name__ == "__main__":
    unittest.main()
