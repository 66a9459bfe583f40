# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C, closed pipes, full disks and two at once: a clear end, and nothing half written."""
import os
import resource
import signal
import subprocess
import time
import unittest

from cli_case import COMMAND, CliCase, Image, call, call_json, helper, numpy, numpy_helper, onnx, TensorProto


def write_slow_model(path):
    """Some tenths of a second an inference on reference kernels: time enough to interrupt it."""
    random = numpy.random.default_rng(3)
    nodes, weights, before = [], [], "input"
    for i in range(12):
        channels = 3 if i == 0 else 32
        weights.append(numpy_helper.from_array(
            random.standard_normal((32, channels, 3, 3)).astype(numpy.float32) * 0.1, "w%d" % i))
        nodes.append(helper.make_node("Conv", [before, "w%d" % i], ["c%d" % i], "conv%d" % i, pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", ["c%d" % i], ["r%d" % i], "relu%d" % i))
        before = "r%d" % i
    nodes.append(helper.make_node("GlobalAveragePool", [before], ["mean"], "mean"))
    nodes.append(helper.make_node("Flatten", ["mean"], ["output"], "flat"))
    graph = helper.make_graph(nodes, "slow", [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 224, 224])],
                              [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 32])], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


class CtrlC(CliCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.slow = cls.path("slow.onnx")
        write_slow_model(cls.slow)
        many = cls.path("many")
        os.makedirs(many)
        picture = Image.open(cls.picture).resize((224, 224))
        with open(os.path.join(many, "labels.csv"), "w", encoding="utf-8") as f:
            f.write("file,class_index\n")
            for i in range(3000):
                f.write("a.png,0\n")
        for name in ["a.png"] + ["p%03d.png" % i for i in range(60)]:
            picture.save(os.path.join(many, name))
        cls.many = many

    def interrupt(self, *words, after=1.0):
        process = subprocess.Popen(COMMAND + list(words), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   stdin=subprocess.DEVNULL)
        self.wait_for_handler(process)
        time.sleep(after)
        self.assertIsNone(process.poll(), "over before it could be interrupted")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1, err)
        self.assertIn(b"interrupted", err)

    @staticmethod
    def wait_for_handler(process):
        """On a loaded machine it may take long until the program has begun."""
        for _ in range(600):
            with open("/proc/%d/status" % process.pid, encoding="utf-8") as f:
                caught = [int(line.split()[1], 16) for line in f if line.startswith("SigCgt:")]
            if caught and caught[0] >> (signal.SIGINT - 1) & 1:
                return
            time.sleep(0.1)

    def test_calibrate(self):
        self.interrupt("calibrate", self.slow, "--calib", self.many, "-o", self.path("i.cache"))
        self.assertEqual([n for n in os.listdir(self.folder) if "i.cache" in n], [])

    def test_build(self):
        self.interrupt("build", self.slow, "--int8", "--calib", self.many, "-o", self.path("i.engine"))
        self.assertEqual([n for n in os.listdir(self.folder) if "i.engine" in n], [])

    def test_eval(self):
        self.interrupt("eval", self.slow, "--task", "classify", "--preprocess", "unit", "--labels-csv",
                       os.path.join(self.many, "labels.csv"))

    def test_bench(self):
        self.interrupt("bench", self.engine, "--duration", "60")


class Outputs(CliCase):
    def test_full_standard_output(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run(COMMAND + ["run", self.engine, self.picture], stdout=full, stderr=subprocess.PIPE,
                                  timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"standard output could not be written", done.stderr)

    def test_a_reader_that_leaves(self):
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(COMMAND + ["help", "build"], stdout=writing, stderr=subprocess.PIPE, timeout=60)
        os.close(writing)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stderr, b"")

    def test_file_size_limit(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

        code, _, err = self.status("build", self.model, "-o", self.path("big.engine"), preexec_fn=limit)
        self.assertEqual(code, 1, err)
        self.assertIn("big.engine", err)
        self.assertEqual([n for n in os.listdir(self.folder) if "big.engine" in n], [])

    def test_two_builds_of_one_engine(self):
        words = COMMAND + ["build", self.model, "-o", self.path("twice.engine"), "--preprocess", "unit", "-q"]
        both = [subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(2)]
        for one in both:
            _, err = one.communicate(timeout=120)
            self.assertEqual(one.returncode, 0, err)
        self.assertTrue(call_json("check", self.path("twice.engine"))["loads"])
        self.assertEqual([n for n in os.listdir(self.folder) if "twice.engine" in n], ["twice.engine"])

    def test_failure_keeps_the_engine_that_was_there(self):
        call("build", self.model, "-o", self.path("kept.engine"), "--preprocess", "unit")
        with open(self.path("kept.engine"), "rb") as f:
            before = f.read()

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

        self.assertEqual(self.status("build", self.model, "-o", self.path("kept.engine"), preexec_fn=limit)[0], 1)
        with open(self.path("kept.engine"), "rb") as f:
            self.assertEqual(f.read(), before)


if __name__ == "__main__":
    unittest.main()
