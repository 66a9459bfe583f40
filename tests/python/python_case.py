# SPDX-License-Identifier: Apache-2.0
"""What the tests of the Python package share: importing it over the library of this build, and tiny networks.

FERRY_BUILD_DIR names the build. A library that this Python cannot load (of another machine, or with sanitizers, which
must be there before Python is) skips the tests, by name; any other failure to load it is a failure."""
import os
import platform
import struct
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.environ.get("FERRY_SOURCE_DIR", os.path.dirname(os.path.dirname(HERE)))
BUILD = os.environ.get("FERRY_BUILD_DIR", os.path.join(SOURCE, "build", "test"))
LIBRARY = os.path.join(BUILD, "libferry.so")
PACKAGE = os.path.join(SOURCE, "python")
MODELS = os.environ.get("FERRY_TEST_MODELS", os.path.join(SOURCE, "out", "models"))
_MACHINES = {62: "x86_64", 183: "aarch64"}


def _why_not():
    with open(LIBRARY, "rb") as file:
        content = file.read()
    machine = _MACHINES.get(struct.unpack("<H", content[18:20])[0])
    if machine != platform.machine():
        return "libferry is for %s, and this Python for %s" % (machine, platform.machine())
    for symbol, name in ((b"__asan_init", "AddressSanitizer"), (b"__tsan_init", "ThreadSanitizer"),
                         (b"__ubsan_handle", "UndefinedBehaviorSanitizer")):
        if symbol in content:
            return "libferry is built with %s, which a plain Python has not loaded" % name
    return None


def environment():
    """For a Python of its own that shall import the package from the tree."""
    env = dict(os.environ, FERRY_LIBRARY=LIBRARY, PYTHONFAULTHANDLER="1", PYTHONDONTWRITEBYTECODE="1")
    env["PYTHONPATH"] = os.pathsep.join([PACKAGE, HERE])
    return env


_reason = _why_not()
if _reason:
    raise unittest.SkipTest(_reason)
os.environ["FERRY_LIBRARY"] = LIBRARY
sys.path.insert(0, PACKAGE)

import numpy  # noqa: E402

import ferry  # noqa: E402


def run_python(code, *words, timeout=300, fails=False):
    """Runs code in a Python of its own, so that a crash is seen as one; returns (standard output, error output)."""
    done = subprocess.run([sys.executable, "-c", code] + [str(w) for w in words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=environment(), timeout=timeout)
    out, err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    if (done.returncode != 0) != fails or done.returncode < 0:
        raise AssertionError("status %d\n%s\n%s" % (done.returncode, out, err))
    return out, err


def relu_network(shape=(1, 4), dtype=numpy.float32):
    """x -> Relu -> y."""
    net = ferry.Network()
    net.mark_output(net.add("Relu", net.add_input("x", dtype, shape), outputs=["y"]))
    return net


def conv_network(batch=1, classes=10, seed=0):
    """x [batch, 3, 8, 8] -> Conv, Relu -> GlobalAveragePool, Flatten, Gemm -> scores [batch, classes]."""
    random = numpy.random.RandomState(seed)
    net = ferry.Network()
    x = net.add_input("x", numpy.float32, [batch, 3, 8, 8])
    weights = random.randn(16, 3, 3, 3).astype(numpy.float32)
    y = net.add("Relu", net.add("Conv", x, weights, numpy.zeros(16, numpy.float32), pads=[1, 1, 1, 1], name="conv"),
                outputs=["features"])
    y = net.add("Flatten", net.add("GlobalAveragePool", y))
    net.mark_output(net.add("Gemm", y, random.randn(16, classes).astype(numpy.float32), outputs=["scores"]))
    return net


def conv_reference(net, x):
    """What conv_network computes, in plain numpy."""
    weights = net.tensor(net.nodes[0].inputs[1].index).value().astype(numpy.float64)
    padded = numpy.pad(x.astype(numpy.float64), ((0, 0), (0, 0), (1, 1), (1, 1)), "constant")
    out = numpy.zeros((x.shape[0], 16, 8, 8))
    for dy in range(3):
        for dx in range(3):
            out += numpy.einsum("nchw,oc->nohw", padded[:, :, dy:dy + 8, dx:dx + 8], weights[:, :, dy, dx])
    gemm = [n for n in net.nodes if n.op_type == "Gemm"][0].inputs[1].value()
    return numpy.maximum(out, 0).mean(axis=(2, 3)) @ gemm


def build(net, **options):
    """An engine, in silence."""
    options.setdefault("progress", False)
    return ferry.Builder().build(net, **options)


def shared_relu():
    """One engine for the tests that only need something to run."""
    if not hasattr(shared_relu, "engine"):
        shared_relu.engine = build(relu_network())
    return shared_relu.engine


def model_path(name):
    """A real model; the test is skipped, by name, where it was not fetched."""
    path = os.path.join(MODELS, name)
    if not os.path.exists(path):
        raise unittest.SkipTest("%s is not there (tools/ci/models.sh fetches it)" % name)
    return path
