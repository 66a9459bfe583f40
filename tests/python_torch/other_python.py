# SPDX-License-Identifier: Apache-2.0
"""Lets a test run under another Python: one that has a package which is too large to live beside the others."""
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.environ.get("FERRY_SOURCE_DIR", os.path.dirname(os.path.dirname(HERE)))
RUNNER = os.path.join(SOURCE, "tools", "ci", "run_unittest.py")
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "python"))
_AGAIN = "FERRY_TEST_RUNS_AGAIN"


def has(python, probe):
    """Whether an interpreter runs a piece of code."""
    try:
        return subprocess.call([python, "-c", probe], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def venv(*parts):
    """The interpreter of a virtual environment in the tree's out/."""
    return os.path.join(*(SOURCE, "out") + parts + ("venv", "bin", "python"))


def go_on_where(probe, named, candidates, advice, test):
    """Goes on where `probe` runs; else becomes a run of `test` under the first of the candidates where it does; else
    skips with the advice. named: an environment variable that says where to look, and nowhere else."""
    places = [os.environ[named]] if os.environ.get(named) else candidates
    python = next((p for p in places if has(p, probe)), None)
    if python is None:
        raise unittest.SkipTest(advice)
    if python != sys.executable and _AGAIN not in os.environ:
        os.environ[_AGAIN] = "1"
        sys.stdout.flush()
        sys.stderr.flush()
        os.execvp(python, [python, "-B", RUNNER, test] + [a for a in sys.argv[2:] if os.path.abspath(a) != test])
    import python_case  # noqa: F401  (puts this build's library and the package in place, or skips)
