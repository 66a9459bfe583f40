# SPDX-License-Identifier: Apache-2.0
"""Engines built for a GPU that is not here: made, shown, refused to run, and run as they are where the GPU is. The
runtime compiler and the GPU are emulated."""
import os
import unittest

import numpy

from cli_case import CliCase
from emulated_gpu import DRIVER, NVRTC, Environment
from support.ferry_python import call, call_json


class Target(CliCase):
    def build(self, *options):
        with Environment(FERRY_LIBNVRTC=NVRTC, FERRY_LIBCUDA="/nowhere/libcuda.so.1"):
            return call_json("build", self.model, "--target", "orin-nano", "--gpu-fallback", "-o",
                             self.path("orin.engine"), *options)

    def test_is_built_and_shown_without_the_gpu(self):
        built = self.build("--fp16")
        self.assertGreaterEqual(built["layers_by_device"].get("cuda", 0), 1)
        with Environment(FERRY_LIBCUDA="/nowhere/libcuda.so.1"):
            shown = call_json("inspect", self.path("orin.engine"))
            self.assertEqual(shown["fingerprint"], "cuda/sm_87")
            self.assertFalse(shown["replanned"])
            self.assertFalse(shown["memory"]["scratch_known"])
            self.refused("bench", self.path("orin.engine"), "--device", "cuda:sm_87", "--gpu-fallback",
                         says="there is no such GPU to run on")

    def test_a_cap_on_scratch_does_not_stand_in_its_way(self):
        self.assertGreaterEqual(self.build("--workspace", "64M")["layers_by_device"].get("cuda", 0), 1)

    def test_runs_as_it_is_where_the_gpu_is(self):
        self.build("--fp16")
        x = numpy.random.default_rng(3).normal(size=(1, 3, 32, 32)).astype(numpy.float32)
        numpy.save(self.path("x.npy"), x)
        call("run", self.engine, "--input", "input=" + self.path("x.npy"), "--output", self.path("want"))
        with Environment(FERRY_LIBCUDA=DRIVER, FERRY_EMULATED_SM="87", FERRY_LIBNVRTC="/nowhere/libnvrtc.so"):
            said = call("run", self.path("orin.engine"), "--device", "cuda", "--gpu-fallback", "--input",
                        "input=" + self.path("x.npy"), "--output", self.path("got"))
        self.assertNotIn("planned anew", str(said))
        want, got = (numpy.load(os.path.join(self.path(folder), "output.npy")) for folder in ("want", "got"))
        numpy.testing.assert_allclose(got, want, rtol=0.02, atol=0.01)

    def test_pictures_are_preprocessed_where_the_gpu_is(self):
        self.build("--preprocess", "unit", "--task", "classify")
        pictures = [os.path.join(self.pictures, name) for name in ("picture00.png", "picture01.png")]
        want = call_json("run", self.engine, *pictures, "--preprocess", "unit", "--task", "classify")
        with Environment(FERRY_LIBCUDA=DRIVER, FERRY_EMULATED_SM="87", FERRY_LIBNVRTC="/nowhere/libnvrtc.so"):
            got = call_json("run", self.path("orin.engine"), "--device", "cuda", "--gpu-fallback", *pictures)
            timed = call_json("bench", self.path("orin.engine"), "--device", "cuda", "--gpu-fallback",
                              "--duration", "0", "--warmUp", "0", "--iterations", "1")
        for one, other in zip(want["results"], got["results"]):
            self.assertEqual([c["class"] for c in one["classes"]], [c["class"] for c in other["classes"]])
            for a, b in zip(one["classes"], other["classes"]):
                self.assertAlmostEqual(a["score"], b["score"], places=4)
        self.assertGreater(timed["gpu_preprocess_median_ms"], 0)

    def test_says_what_a_gpu_with_the_hosts_memory_does_not_copy(self):
        self.build("--fp16")
        with Environment(FERRY_LIBCUDA=DRIVER, FERRY_EMULATED_SM="87", FERRY_EMULATED_INTEGRATED="1"):
            shown = call_json("inspect", self.path("orin.engine"), "--device", "cuda", "--gpu-fallback")
            self.assertTrue(shown["memory"]["shared_with_host"])
            self.assertEqual(shown["memory"]["copies"], shown["memory"]["copies_unless_pinned"])
            bench = ("bench", self.path("orin.engine"), "--device", "cuda", "--gpu-fallback", "--duration", "0",
                     "--iterations", "1", "--warmUp", "0")
            self.assertTrue(call_json(*bench)["shares_memory"])
            said = call(*bench)
            self.assertIn("H2D and D2H: none", str(said))
            self.assertNotIn("H2D Latency", str(said))

    def test_is_calibrated_on_the_cpu(self):
        built = self.build("--int8", "--calib", self.pictures, "--preprocess", "unit")
        self.assertGreaterEqual(built["layers_by_precision"].get("int8", 0), 1)


if __name__ == "__main__":
    unittest.main()
