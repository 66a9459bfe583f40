# SPDX-License-Identifier: Apache-2.0
"""Engines that run a library of NVIDIA's: chosen where it was measured to be faster, told of, and refused in words where
the library is missing. GPU and library are emulated."""
import os
import unittest

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

from cli_case import CliCase
from emulated_gpu import DRIVER, FOLDER, NVRTC
from support.ferry_python import call, call_json

LIBRARY = os.path.join(FOLDER, "libcublasLt.so.12")


def write_products(path):
    """Two matrix products with what the library takes in behind each, and a Tanh between that it does not."""
    random = numpy.random.default_rng(5)
    constants = {"w1": random.normal(size=(32, 48)), "b1": random.normal(size=48), "w2": random.normal(size=(48, 16))}
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["a"], "first"),
        helper.make_node("Relu", ["a"], ["b"], "act"),
        helper.make_node("Tanh", ["b"], ["c"], "tanh"),
        helper.make_node("MatMul", ["c", "w2"], ["y"], "second"),
    ]
    graph = helper.make_graph(
        nodes, "products", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [8, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [8, 16])],
        [numpy_helper.from_array(value.astype(numpy.float32), name) for name, value in constants.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


class Libraries(CliCase):
    def setUp(self):
        super().setUp()
        before = dict(os.environ)
        self.addCleanup(lambda: (os.environ.clear(), os.environ.update(before)))
        os.environ.update(FERRY_LIBCUDA=DRIVER, FERRY_LIBNVRTC=NVRTC, FERRY_LIBCUBLASLT=LIBRARY)
        self.products = self.path("products.onnx")
        write_products(self.products)

    def build(self, *options):
        return call_json("build", self.products, "--device", "cuda", "-o", self.path("p.engine"), *options)

    def build_with_library(self):
        """Times everything, then has the library's second algorithm look the fastest: the emulator's times are none."""
        cache = self.path("times")
        self.build("--timing-cache", cache)
        with open(cache, encoding="utf-8") as f:
            lines = f.read().splitlines()
        self.assertTrue(any("cublaslt_2 of cuBLASLt 12.9.3" in line for line in lines), lines)
        with open(cache, "w", encoding="utf-8") as f:
            for line in lines:
                time, tab, key = line.partition("\t")
                f.write(("0.01" + tab + key if "|cublaslt_2 " in key else line) + "\n")
        return self.build("--timing-cache", cache)

    def run_engine(self, engine, *options, **how):
        return call("run", engine, *options, "--input", "x=" + self.path("x.npy"), "--output", self.path("out"), **how)

    def test_engine_says_what_it_needs_and_runs(self):
        self.assertEqual(self.build_with_library()["libraries"], "cuBLASLt 12.9.3")
        shown = call_json("inspect", self.path("p.engine"), "--device", "cuda")
        self.assertEqual(shown["texts"]["libraries"], "cuBLASLt 12.9.3")
        self.assertEqual([layer["tactic"] for layer in shown["layers"]].count("cublaslt_2"), 2)
        numpy.save(self.path("x.npy"), numpy.random.default_rng(6).normal(size=(8, 32)).astype(numpy.float32))
        self.run_engine(self.path("p.engine"), "--device", "cuda")
        got = numpy.load(os.path.join(self.path("out"), "y.npy"))
        call("build", self.products, "--no-timing", "-o", self.path("cpu.engine"))
        self.run_engine(self.path("cpu.engine"))
        numpy.testing.assert_allclose(got, numpy.load(os.path.join(self.path("out"), "y.npy")), rtol=1e-4, atol=1e-4)

    def test_missing_library_is_named_with_layer_and_way_out(self):
        self.build_with_library()
        os.environ["FERRY_LIBCUBLASLT"] = "/nowhere"
        numpy.save(self.path("x.npy"), numpy.zeros((8, 32), numpy.float32))
        said = self.run_engine(self.path("p.engine"), "--device", "cuda", fails=True)[1]
        for words in ("layer '", "tactic cublaslt_2", "cuBLASLt", "FERRY_LIBCUBLASLT", "--tactics own"):
            self.assertIn(words, said)

    def test_own_tactics_and_guesses_never_need_it(self):
        for option in ("--tactics=own", "--no-timing"):
            self.build(option)
            shown = call_json("inspect", self.path("p.engine"), "--device", "cuda")
            self.assertNotIn("libraries", shown["texts"])
            self.assertFalse([layer for layer in shown["layers"] if layer["tactic"].startswith("cublaslt")])

    def test_devices_and_doctor_tell_of_it(self):
        self.assertIn("cuBLASLt 12.9.3", call("devices")[0])
        self.assertIn("12.9.3 (%s)" % LIBRARY, call("doctor")[0])
        os.environ["FERRY_LIBCUBLASLT"] = "/nowhere"
        self.assertIn("no cuBLASLt, which is optional", call("devices")[0])


if __name__ == "__main__":
    unittest.main()
