# SPDX-License-Identifier: Apache-2.0
"""Lets a test run under a Python that has torch: torch is too large to live beside the other packages.

`import torch_case` before `import torch`. Where this interpreter has no torch, the whole test starts again under one
that has: FERRY_TORCH_PYTHON, the main job's (tools/demo/venv.sh), or the machine's own. Where there is none it is
skipped, by name."""
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.environ.get("FERRY_SOURCE_DIR", os.path.dirname(os.path.dirname(HERE)))
RUNNER = os.path.join(SOURCE, "tools", "ci", "run_unittest.py")
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "python"))
_AGAIN = "FERRY_TORCH_TEST_RUNS_AGAIN"


def has_torch(python):
    """Whether an interpreter imports torch and numpy, and both fit each other."""
    probe = "import numpy, torch; assert (torch.ones(2).numpy() == 1).all()"
    try:
        return subprocess.call([python, "-c", probe], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def candidates():
    """Where a torch may be, in the order in which to look."""
    named = os.environ.get("FERRY_TORCH_PYTHON")
    if named:
        return [named]
    return [sys.executable, os.path.join(SOURCE, "out", "demo", "venv", "bin", "python"), "python3", "/usr/bin/python3"]


def ensure_torch(test):
    """Goes on where torch is; else becomes a run of `test` where it is; else skips."""
    python = next((p for p in candidates() if has_torch(p)), None)
    if python is None:
        raise unittest.SkipTest("no Python with torch: tools/demo/venv.sh out/demo/venv makes one")
    if python != sys.executable and _AGAIN not in os.environ:
        os.environ[_AGAIN] = "1"
        sys.stdout.flush()
        sys.stderr.flush()
        arguments = [a for a in sys.argv[2:] if os.path.abspath(a) != test]
        os.execvp(python, [python, "-B", RUNNER, test] + arguments)
    import python_case  # noqa: F401  (puts this build's library and the package in place, or skips)
