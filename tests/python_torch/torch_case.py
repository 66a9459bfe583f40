# SPDX-License-Identifier: Apache-2.0
"""`torch_case.ensure_torch(file)` before `import torch`: a test goes on under a Python that has torch, or is skipped.

Where to look: FERRY_TORCH_PYTHON, else this interpreter, the main job's (tools/demo/venv.sh), the one that cpu_torch.py
makes, the machine's own."""
import sys

import other_python
from other_python import SOURCE  # noqa: F401  (for the tests)

# Torch before 2.3 was compiled for NumPy 1 and can't exchange arrays with NumPy 2.
PROBE = "import numpy, torch; assert (torch.ones(2).numpy() == 1).all()"


def ensure_torch(test):
    """Goes on, starts again elsewhere, or skips."""
    places = [sys.executable, other_python.venv("demo"), other_python.venv("torch"), "python3", "/usr/bin/python3"]
    other_python.go_on_where(PROBE, "FERRY_TORCH_PYTHON", places,
                             "no Python with torch: tools/demo/venv.sh out/demo/venv makes one", test)
