# SPDX-License-Identifier: Apache-2.0
"""The emulated GPU and its compiler for tests of the command, which are skipped where they were not built."""
import os
import unittest

FOLDER = os.path.join(os.environ["FERRY_BUILD_DIR"], "cuda_emulator")
NVRTC, DRIVER = os.path.join(FOLDER, "libnvrtc.so.12"), os.path.join(FOLDER, "libcuda.so.1")
if not os.path.exists(NVRTC) or not os.path.exists(DRIVER):
    raise unittest.SkipTest("the emulated GPU was not built: there is no g++")


class Environment:
    """Variables that hold for the length of a `with`."""

    def __init__(self, **values):
        self.values = values

    def __enter__(self):
        self.before = dict(os.environ)
        os.environ.update(self.values)

    def __exit__(self, *why):
        os.environ.clear()
        os.environ.update(self.before)
