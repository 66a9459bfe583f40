# SPDX-License-Identifier: Apache-2.0
"""pycuda as scripts around TensorRT use it: device memory, page-locked arrays, streams, events, contexts.

Its CUDA C compiler (SourceModule) and gpuarray are not offered: computation belongs into the network."""
from ferry.compat._offered import answer_for
from ferry.compat.pycuda import driver

VERSION = (2022, 2)
VERSION_TEXT = "2022.2"
VERSION_STATUS = ""

__all__ = ["VERSION", "VERSION_STATUS", "VERSION_TEXT", "driver"]

answer_for(__name__)
