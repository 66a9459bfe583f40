# SPDX-License-Identifier: Apache-2.0
"""The peers from PyPI, in a virtual environment of their own."""
import os
import platform
import subprocess
import sys
import venv
from importlib import metadata

PACKAGES = ("numpy", "Pillow", "onnx", "onnxruntime", "openvino", "nncf", "ncnn", "pnnx", "MNN")


def make_environment(folder):
    """Makes it where it is not, and runs this program again in it."""
    python = os.path.join(folder, "bin", "python")
    if not os.path.exists(python):
        venv.EnvBuilder(with_pip=True).create(folder)
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *PACKAGES], check=True)
    if os.path.realpath(sys.prefix) != os.path.realpath(folder):
        os.execv(python, [python] + sys.argv)


def versions():
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package.lower()] = metadata.version(package)
        except metadata.PackageNotFoundError:
            pass
    return found


def quiet_environment():
    """Without what would change an engine's threads, and with what keeps progress bars and reports to vendors off."""
    environment = dict(os.environ, NNCF_CI="1", TQDM_DISABLE="1", PYTHONWARNINGS="ignore")
    for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "KMP_BLOCKTIME"):
        environment.pop(name, None)
    return environment
