# SPDX-License-Identifier: Apache-2.0
"""pycuda.driver: `import pycuda.driver as cuda`."""
from ferry.compat._offered import answer_for
from ferry.compat.pycuda._context import Context, Device, ctx_flags, get_driver_version, get_version, init
from ferry.compat.pycuda._errors import Error, LaunchError, LogicError, MemoryError, RuntimeError
from ferry.compat.pycuda._memory import (DeviceAllocation, PagelockedHostAllocation, aligned_empty, from_device,
                                         from_device_like, host_alloc_flags, host_register_flags, managed_empty,
                                         managed_zeros, mem_alloc, mem_alloc_pitch, mem_attach_flags, mem_get_info,
                                         memcpy_dtod, memcpy_dtod_async, memcpy_dtoh, memcpy_dtoh_async, memcpy_htod,
                                         memcpy_htod_async, memset_d8, memset_d8_async, memset_d16, memset_d32,
                                         memset_d32_async, pagelocked_empty, pagelocked_empty_like,
                                         pagelocked_zeros, pagelocked_zeros_like, register_host_memory, to_device)
from ferry.compat.pycuda._stream import Event, Stream, event_flags

__all__ = [
    "Context", "Device", "DeviceAllocation", "Error", "Event", "LaunchError", "LogicError", "MemoryError",
    "PagelockedHostAllocation", "RuntimeError", "Stream", "aligned_empty", "ctx_flags", "event_flags", "from_device",
    "from_device_like", "get_driver_version", "get_version", "host_alloc_flags", "host_register_flags", "init",
    "managed_empty", "managed_zeros", "mem_alloc", "mem_alloc_pitch", "mem_attach_flags", "mem_get_info",
    "memcpy_dtod", "memcpy_dtod_async", "memcpy_dtoh", "memcpy_dtoh_async", "memcpy_htod", "memcpy_htod_async",
    "memset_d16", "memset_d32", "memset_d32_async", "memset_d8", "memset_d8_async", "pagelocked_empty",
    "pagelocked_empty_like", "pagelocked_zeros", "pagelocked_zeros_like", "register_host_memory", "to_device",
]

answer_for(__name__)
