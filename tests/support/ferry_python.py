# SPDX-License-Identifier: Apache-2.0
"""What Python tests share: calling the command, raw tensors in and out, the folders of real data.

FERRY_COMMAND may hold an emulator before the program; FERRY_TEST_MODELS and FERRY_TEST_DATA may be absent."""
import json
import os
import shlex
import subprocess
import tempfile
import unittest

import numpy

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.environ.get("FERRY_SOURCE_DIR", os.path.dirname(os.path.dirname(HERE)))
COMMAND = shlex.split(os.environ.get("FERRY_COMMAND", shlex.quote(os.path.join(SOURCE, "build", "ferry"))))
MODELS = os.environ.get("FERRY_TEST_MODELS", os.path.join(SOURCE, "out", "models"))
DATA = os.environ.get("FERRY_TEST_DATA", "")


def model_path(name):
    """A model out of PyPI's packages; the test is skipped, by name, where it was not fetched."""
    path = os.path.join(MODELS, name)
    if not os.path.exists(path):
        raise unittest.SkipTest("%s is not there (tools/ci/models.sh fetches it)" % name)
    return path


def data_path(*parts):
    """A file of the larger collection of models and pictures that a developer may have beside the project."""
    path = os.path.join(DATA, *parts)
    if not DATA or not os.path.exists(path):
        raise unittest.SkipTest("FERRY_TEST_DATA has no %s" % os.path.join(*parts))
    return path


def call(*words, fails=False, timeout=600):
    """Runs `ferry WORDS...`; returns (standard output, standard error). Asserts success, or with `fails` status 1."""
    done = subprocess.run(COMMAND + [str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, timeout=timeout)
    out, err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    if done.returncode != (1 if fails else 0):
        raise AssertionError("ferry %s: status %d\n%s%s" % (" ".join(str(w) for w in words), done.returncode, out, err))
    return out, err


def call_json(*words, **options):
    """The object that --json prints on the last line of standard output."""
    return json.loads(call(*words, "--json", **options)[0].strip().splitlines()[-1])


def require_device(device):
    """Skips the test, with the command's own words, where that device is absent or nothing can be compiled for it."""
    name = device.partition(":")[0]
    for found in call_json("devices")["devices"]:
        if found["name"] == name and not (found["available"] and (
                name != "cuda" or "kernels compile with" in found["description"])):
            raise unittest.SkipTest("%s: %s" % (device, found["description"]))


def run_tensors(engine, inputs, *options):
    """Outputs by name of `ferry run ENGINE --input ...` on {name: array}."""
    with tempfile.TemporaryDirectory() as folder:
        words = []
        for i, (name, array) in enumerate(inputs.items()):
            path = os.path.join(folder, "in%d.npy" % i)
            numpy.save(path, array)
            words += ["--input", "%s=%s" % (name, path)]
        out = os.path.join(folder, "out")
        call("run", engine, *words, "--output", out, *options)
        with open(os.path.join(out, "names.json"), encoding="utf-8") as f:
            names = json.load(f)
        return {name: numpy.load(os.path.join(out, file)) for name, file in names.items()}


def relative_l2(got, want):
    got, want = numpy.asarray(got, numpy.float64), numpy.asarray(want, numpy.float64)
    if got.shape != want.shape:
        raise AssertionError("shape %s, expected %s" % (got.shape, want.shape))
    return float(numpy.linalg.norm(got - want) / max(numpy.linalg.norm(want), 1e-30))
