# SPDX-License-Identifier: Apache-2.0
"""pycuda.tools, as far as scripts around TensorRT use it."""
import os
from typing import Any, Optional

import numpy

from ferry.compat._offered import answer_for
from ferry.compat.pycuda import driver


def get_default_device(default: int = 0) -> driver.Device:
    """The device that CUDA_DEVICE or ~/.cuda_device names, else `default`."""
    chosen = os.environ.get("CUDA_DEVICE")
    if chosen is None:
        try:
            with open(os.path.join(os.path.expanduser("~"), ".cuda_device")) as file:
                chosen = file.read().strip()
        except OSError:
            chosen = str(default)
    return driver.Device(int(chosen))


def make_default_context(ctx_maker: Optional[Any] = None) -> driver.Context:
    """A context on that device, pushed."""
    device = get_default_device()
    return device.make_context() if ctx_maker is None else ctx_maker(device)


def clear_context_caches() -> None:
    """Forgets what was kept for reuse: nothing is."""


def dtype_to_ctype(dtype: Any) -> str:
    """The C name of a numpy type."""
    names = {"float32": "float", "float64": "double", "int8": "signed char", "uint8": "unsigned char",
             "int16": "short", "uint16": "unsigned short", "int32": "int", "uint32": "unsigned", "int64": "long",
             "uint64": "unsigned long", "bool": "bool"}
    name = numpy.dtype(dtype).name
    if name not in names:
        raise ValueError("dtype_to_ctype: %s has no name in C" % name)
    return names[name]


class PageLockedMemoryPool:
    """Hands out page-locked arrays."""

    def allocate(self, shape: Any, dtype: Any, order: str = "C") -> numpy.ndarray:
        """A new one."""
        return driver.pagelocked_empty(shape, dtype, order)

    def free_held(self) -> None:
        """Frees what is kept for reuse: nothing is."""

    stop_holding = free_held


class DeviceMemoryPool:
    """Hands out device memory."""

    def allocate(self, size: int) -> driver.DeviceAllocation:
        """A new allocation."""
        return driver.mem_alloc(size)

    def free_held(self) -> None:
        """Frees what is kept for reuse: nothing is."""

    stop_holding = free_held


answer_for(__name__)
