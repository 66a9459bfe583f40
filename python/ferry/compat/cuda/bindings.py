# SPDX-License-Identifier: Apache-2.0
"""The newer place of the same: `from cuda.bindings import runtime`."""
from ferry.compat._offered import answer_for
from ferry.compat.cuda import cuda as driver
from ferry.compat.cuda import cudart as runtime

__all__ = ["driver", "runtime"]

answer_for(__name__)
