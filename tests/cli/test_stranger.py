# SPDX-License-Identifier: Apache-2.0
"""The command in clumsy hands: files that are none, places that cannot be written, interruptions, odd names.

Always: the right status, a line that says what is wrong, nothing left behind, no waiting."""
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
from support import ferry_python as ferry  # noqa: E402


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    """A protobuf field: a number, or bytes (a message, a text)."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor_type(name, dims):
    shape = b"".join(field(1, field(1, d)) for d in dims)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))


def node(op, inputs, outputs, name):
    return field(1, b"".join(field(1, i) for i in inputs) + b"".join(field(2, o) for o in outputs) + field(3, name) +
                 field(4, op))


def model(*nodes, dims=(1, 3, 32, 32), initializers=b"", output="y"):
    graph = b"".join(nodes) + field(2, "g") + initializers + field(11, tensor_type("x", dims)) + field(
        12, tensor_type(output, dims))
    return field(1, 8) + field(7, graph) + field(8, field(2, 17))


def external(location):
    """A float initializer of 16 elements whose data lies in another file."""
    entry = field(1, "location") + field(2, location)
    return field(5, field(1, 16) + field(2, 1) + field(8, "w") + field(13, entry) + field(14, 1))


def png(width, height, rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


RELU = model(node("Relu", ["x"], ["y"], "relu"))
PICTURE = png(32, 32, b"".join(b"\0" + bytes((r * 7 + c * 3) & 255 for c in range(96)) for r in range(32)))
AS_INPUT = ["--preprocess", "unit", "--task", "raw"]


class Stranger(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)
        return self.path(name)

    def run_ferry(self, *words, status, says, timeout=60, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        done = subprocess.run(ferry.COMMAND + list(words), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=timeout, **options)
        err = done.stderr.decode("utf-8", "replace")
        self.assertEqual(done.returncode, status, "ferry %s\n%s" % (" ".join(words), err))
        self.assertIn(says, err)
        if status:
            self.assertIn("ferry: error: ", err)
        return done.stdout.decode("utf-8", "replace")

    def engine(self, name="m.engine", data=RELU, *words):
        made = self.path(name)
        self.run_ferry("build", self.write("m.onnx", data), "-o", made, *AS_INPUT, *words, status=0, says="")
        return made

    def sparse(self, name):
        with open(self.path(name), "wb") as f:
            f.truncate(10 << 30)
        return self.path(name)

    def not_files(self):
        os.mkdir(self.path("folder"))
        os.mkfifo(self.path("fifo"))
        return [(self.write("empty", b""), "empty"), (self.path("folder"), "folder"),
                (self.path("fifo"), "regular file"), ("/dev/zero", "regular file"), ("/dev/null", "regular file"),
                (self.path("absent"), "No such file")]

    def test_models__that_are_no_files_are_refused_at_once(self):
        for path, says in self.not_files():
            for words in (["build", path, "-o", self.path("out")], ["inspect", path], ["bench", path], ["check", path]):
                with self.subTest(words=words):
                    self.run_ferry(*words, status=1, says="ferry engine" if path.endswith("empty") and
                                   words[0] == "check" else says)
        self.assertFalse(os.path.exists(self.path("out")))

    def test_pictures_and_tensors__that_are_no_files_are_refused_at_once(self):
        engine = self.engine()
        for path, says in self.not_files():
            self.run_ferry("run", engine, path, status=1, says=says)
            self.run_ferry("run", engine, "--input", "x=" + path, "--output", self.path("out"), status=1,
                           says="npy" if path.endswith("empty") else says)

    def test_options__that_name_no_files_are_refused_at_once(self):
        onnx = self.write("m.onnx", RELU)
        for path, _ in self.not_files():
            for option in ("--preprocess", "--labels", "--decoder", "--calib"):
                with self.subTest(option=option, path=path):
                    self.run_ferry("build", onnx, "-o", self.path("out"), option, path, *(
                        ["--int8"] if option == "--calib" else []), status=1, says=path)
        self.run_ferry("build", onnx, "-o", self.path("out"), "--plan", "/dev/zero", status=1, says="/dev/zero")
        self.assertFalse(os.path.exists(self.path("out")))

    def test_huge_files__are_not_read(self):
        engine, big = self.engine(), self.sparse("big")
        onnx, calibration = self.path("m.onnx"), self.sparse("big.npy")
        for words in (["build", big, "-o", self.path("out")], ["check", big], ["run", engine, big],
                      ["build", onnx, "-o", self.path("out"), "--labels", big],
                      ["build", onnx, "-o", self.path("out"), "--int8", "--calib-cache", big],
                      ["build", onnx, "-o", self.path("out"), "--timing-cache", big],
                      ["build", onnx, "-o", self.path("out"), "--int8", "--calib", calibration],
                      ["run", engine, "--input", "x=" + calibration, "--output", self.path("out")]):
            with self.subTest(words=words):
                self.run_ferry(*words, status=1, says=big)

    def test_pictures__are_judged_by_what_they_hold(self):
        engine = self.engine()
        self.run_ferry("run", engine, self.write("t.jpg", b"hello, world"), status=1, says="not a JPEG or PNG")
        self.run_ferry("run", engine, self.write("huge.png", png(100000, 100000, b"\0" * 999)), status=1,
                       says="100000")
        self.run_ferry("run", engine, self.write("cut.png", PICTURE[:-40]), status=1, says="cut.png")
        self.run_ferry("run", engine, self.write("png.jpg", PICTURE), status=0, says="")

    def test_models__that_contradict_themselves_are_refused_by_node(self):
        cycle = model(node("Relu", ["b"], ["a"], "first"), node("Add", ["a", "x"], ["b"], "second"),
                      node("Relu", ["b"], ["y"], "third"))
        self.run_ferry("build", self.write("cycle.onnx", cycle), "-o", self.path("out"), status=1, says="first")
        twice = model(node("Relu", ["x"], ["y"], "first"), node("Neg", ["x"], ["y"], "second"))
        self.run_ferry("build", self.write("twice.onnx", twice), "-o", self.path("out"), status=1, says="'y'")
        odd = model(node("Teleport", ["x"], ["y"], "far"))
        self.run_ferry("build", self.write("odd.onnx", odd), "-o", self.path("out"), status=1, says="Teleport")
        self.assertFalse(os.path.exists(self.path("out")))

    def test_external_data__is_found_in_the_models_folder_only(self):
        add = node("Add", ["x", "w"], ["y"], "add")
        for location, says in (("absent.bin", "absent.bin"), ("../secret.bin", "../secret.bin"),
                               ("/etc/passwd", "/etc/passwd"), ("folder", "folder"), ("short.bin", "short.bin")):
            os.makedirs(self.path("folder"), exist_ok=True)
            self.write("short.bin", b"123")
            with self.subTest(location=location):
                path = self.write("m.onnx", model(add, dims=(16,), initializers=external(location)))
                self.run_ferry("build", path, "-o", self.path("out"), status=1, says=says)
        self.write("w.bin", b"\0" * 64)
        path = self.write("m.onnx", model(add, dims=(16,), initializers=external("w.bin")))
        self.run_ferry("build", path, "-o", self.path("out"), status=0, says="")

    def test_outputs__that_cannot_be_written_are_said_before_the_work(self):
        onnx = self.write("m.onnx", RELU)
        os.mkdir(self.path("folder"))
        self.run_ferry("build", onnx, "-o", self.path("none", "m.engine"), status=1, says="No such file")
        self.run_ferry("build", onnx, "-o", self.path("folder"), status=1, says="folder")
        self.run_ferry("build", onnx, "-o", "", status=1, says="empty")
        self.run_ferry("build", onnx, "-o", "/dev/null", status=1, says="regular file")
        self.run_ferry("build", onnx, "-o", self.path("m.onnx", "x"), status=1, says="not a folder")
        self.assertEqual(sorted(os.listdir(self.folder)), ["folder", "m.onnx"])

    def test_folders__that_are_read_only(self):
        engine, picture = self.engine(), self.write("p.png", PICTURE)
        os.chmod(self.folder, 0o755)
        os.mkdir(self.path("shut"), 0o555)
        user = {}
        if os.geteuid() == 0:  # who may write everywhere
            user = {"preexec_fn": lambda: os.setuid(65534)}
            try:
                if subprocess.call(ferry.COMMAND + ["--help"], stdout=subprocess.DEVNULL, **user):
                    self.skipTest("another user cannot run the command")
            except (OSError, subprocess.SubprocessError) as e:
                self.skipTest("root, and no other user can run the command: %s" % e)
        self.run_ferry("build", self.path("m.onnx"), "-o", self.path("shut", "m.engine"), status=1,
                       says="Permission denied", **user)
        self.run_ferry("run", engine, picture, cwd=self.path("shut"), status=0, says="", **user)
        self.run_ferry("run", engine, picture, "--draw", self.path("shut", "drawn"), status=1,
                       says="Permission denied", **user)
        self.assertEqual(os.listdir(self.path("shut")), [])

    def test_full_disk__leaves_no_part_of_a_file(self):
        os.mkdir(self.path("full"))
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", self.path("full")],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if done.returncode:
            self.skipTest("no right to mount a small file system")
        self.addCleanup(subprocess.run, ["umount", self.path("full")])
        weights = field(5, field(1, 65536) + field(2, 1) + field(8, "w") + field(9, b"\x11" * 262144))
        onnx = self.write("m.onnx", model(node("Add", ["x", "w"], ["y"], "add"), dims=(65536,), initializers=weights))
        self.run_ferry("build", onnx, "-o", self.path("full", "m.engine"), status=1, says="No space left")
        self.assertEqual(os.listdir(self.path("full")), [])

    def test_standard_streams__may_be_closed_or_full(self):
        engine, picture = self.engine(), self.write("p.png", PICTURE)
        with open("/dev/full", "wb") as full:
            done = subprocess.run(ferry.COMMAND + ["run", engine, picture], stdout=full, stderr=subprocess.PIPE,
                                  stdin=subprocess.DEVNULL, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"standard output", done.stderr)
        line = " ".join("'%s'" % word for word in ferry.COMMAND + ["run", engine, picture])
        self.assertEqual(subprocess.call(["sh", "-c", line + " <&- >/dev/null"], timeout=60), 0)
        self.assertEqual(subprocess.call(["sh", "-c", line + " >&- 2>&-"], timeout=60), 1)
        # An engine must not be written into a descriptor that the shell left closed.
        line = " ".join("'%s'" % word for word in ferry.COMMAND + ["build", self.path("m.onnx"), "-o", self.path("c")])
        subprocess.call(["sh", "-c", line + " <&- >&- 2>&-"], timeout=60)
        if os.path.exists(self.path("c")):
            self.run_ferry("check", self.path("c"), status=0, says="")

    def test_environment__may_be_bare(self):
        engine, picture = self.engine(), self.write("p.png", PICTURE)
        for environment in ({}, {"LC_ALL": "de_DE.UTF-8", "PATH": ""}, {"HOME": "/nonexistent", "TMPDIR": "/none"}):
            self.run_ferry("run", engine, picture, env=environment, cwd="/", status=0, says="")

    def test_names__with_blanks_and_more(self):
        odd = "a b ü\n'$(x)\"%s%n"
        os.mkdir(self.path(odd))
        engine = self.engine(os.path.join(odd, odd + ".engine"))
        self.run_ferry("run", engine, self.write(os.path.join(odd, "%n.png"), PICTURE), status=0, says="")
        self.run_ferry("run", engine, self.path(odd, "%n%s absent.png"), status=1, says="%n%s absent.png")
        self.run_ferry("check", engine, status=0, says="")

    def interrupted(self, words, which):
        child = subprocess.Popen(ferry.COMMAND + words, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 stdin=subprocess.DEVNULL)
        time.sleep(0.7)
        if child.poll() is not None:
            self.skipTest("done before it could be interrupted")
        child.send_signal(which)
        err = child.communicate(timeout=60)[1].decode("utf-8", "replace")
        self.assertEqual(child.returncode, 1, err)
        self.assertIn("interrupted", err)

    def test_interrupts__end_the_work_and_leave_nothing(self):
        # Work enough for minutes, in small steps: calibration on many large pictures.
        onnx = self.write("m.onnx", model(*(node("Sigmoid", ["x" if i == 0 else "t%d" % i], [
            "y" if i == 39 else "t%d" % (i + 1)], "n%d" % i) for i in range(40)), dims=(1, 3, 256, 256)))
        os.mkdir(self.path("pictures"))
        for i in range(200):
            shutil.copy(self.write("p.png", PICTURE), self.path("pictures", "%d.png" % i))
        before = sorted(os.listdir(self.folder))
        for which in (signal.SIGINT, signal.SIGTERM):
            self.interrupted(["build", onnx, "-o", self.path("out"), "--int8", "--calib", self.path("pictures"),
                              "--calib-cache", self.path("cache"), *AS_INPUT], which)
            self.interrupted(["calibrate", onnx, "-o", self.path("cache"), "--calib", self.path("pictures"),
                              "--preprocess", "unit"], which)
            self.assertEqual(sorted(os.listdir(self.folder)), before)

    def test_two_builds__to_one_file_leave_a_whole_one(self):
        onnx, out = self.write("m.onnx", RELU), self.path("m.engine")
        builds = [subprocess.Popen(ferry.COMMAND + ["build", onnx, "-o", out, *AS_INPUT], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL) for _ in range(4)]
        self.assertEqual([b.wait(timeout=120) for b in builds], [0] * 4)
        self.run_ferry("check", out, status=0, says="")
        self.assertEqual(sorted(os.listdir(self.folder)), ["m.engine", "m.onnx"])

    def test_usage__is_status_2(self):
        m = self.write("m.onnx", RELU)
        for words in ([], ["nonsense"], ["build"], ["build", m, "--nope"], ["build", m, "-o"], ["run"],
                      ["build", m, "--threads", "x"], ["build", m, "--threads", "-3"],
                      ["build", m, "--workspace", "10Q"], ["build", m, "--shape", "x=1xx3"]):
            done = subprocess.run(ferry.COMMAND + words, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  stdin=subprocess.DEVNULL, timeout=60)
            self.assertEqual(done.returncode, 2, words)


if __name__ == "__main__":
    unittest.main()
