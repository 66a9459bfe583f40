# SPDX-License-Identifier: Apache-2.0
"""pycuda.autoinit: a context on the default device, pushed for the importing thread and popped at exit."""
import atexit

from ferry.compat._offered import answer_for
from ferry.compat.pycuda import driver
from ferry.compat.pycuda.tools import clear_context_caches, make_default_context

driver.init()
context = make_default_context()
device = context.get_device()


def _finish_up() -> None:
    if driver.Context.get_current() is context:
        context.pop()
    clear_context_caches()


atexit.register(_finish_up)
answer_for(__name__)
