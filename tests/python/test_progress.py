# SPDX-License-Identifier: Apache-2.0
"""Progress: tqdm's bars where it is installed, lines where it is not, nothing unless there is a terminal or a wish."""
import contextlib
import io
import sys
import types
import unittest

import numpy

import python_case as case
from ferry import ProgressReport
from ferry import _progress


class Bar:
    """Stands in for tqdm.tqdm, and keeps what it was told."""

    made = []

    def __init__(self, total=None, desc=None, leave=None):
        self.total, self.desc, self.n, self.closed = total, desc, 0, False
        Bar.made.append(self)

    def update(self, by):
        self.n += by

    def close(self):
        self.closed = True


@contextlib.contextmanager
def module(name, value):
    before = sys.modules.get(name)
    sys.modules[name] = value
    try:
        yield
    finally:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before


class Progress(unittest.TestCase):
    def test_bars_follow_a_build(self):
        Bar.made = []
        with module("tqdm", types.SimpleNamespace(tqdm=Bar)):
            case.build(case.conv_network(), int8=True, progress=True,
                       calibration=[numpy.zeros((1, 3, 8, 8), numpy.float32)] * 3)
        phases = [bar.desc for bar in Bar.made]
        self.assertIn("calibrate", phases)
        self.assertIn("time tactics", phases)
        for bar in Bar.made:
            self.assertTrue(bar.closed, bar.desc)
            self.assertIn(bar.total, (None, bar.n), bar.desc)

    def test_a_bar_is_closed_when_the_build_fails(self):
        Bar.made = []

        def samples():
            yield numpy.zeros((1, 3, 8, 8), numpy.float32)
            raise KeyError("no more")

        with module("tqdm", types.SimpleNamespace(tqdm=Bar)):
            with self.assertRaises(KeyError):
                case.build(case.conv_network(), int8=True, progress=True, calibration=samples())
        self.assertTrue(Bar.made and all(bar.closed for bar in Bar.made))

    def test_lines_tell_long_phases_once(self):
        out = io.StringIO()
        lines = _progress.Lines(out)
        for report in (ProgressReport("short", 0, 2, 0.0, None), ProgressReport("short", 2, 2, 0.1, 0.0),
                       ProgressReport("long", 0, 9, 0.0, None), ProgressReport("long", 3, 9, 11.0, 22.0),
                       ProgressReport("long", 4, 9, 12.0, 20.0), ProgressReport("long", 9, 9, 30.0, 0.0),
                       ProgressReport("long", 9, 9, 30.0, 0.0)):
            lines(report)
        self.assertEqual(out.getvalue().split("\n"), ["ferry: long: 3 of 9, 22 s left", "ferry: long: 9 done in 30.0 s",
                                                      ""])

    def test_without_tqdm_there_are_lines(self):
        with module("tqdm", None):
            self.assertIsInstance(_progress.progress_of(True), _progress.Lines)

    def test_it_shows_itself_on_a_terminal_only(self):
        class Terminal(io.StringIO):
            def isatty(self):
                return True

        for stream, shown in ((io.StringIO(), False), (Terminal(), True)):
            with contextlib.redirect_stderr(stream):
                self.assertEqual(_progress.progress_of(None) is not None, shown)
        with contextlib.redirect_stderr(io.StringIO()) as quiet:
            case.build(case.conv_network(), progress=None)
        self.assertEqual(quiet.getvalue(), "")
        self.assertIsNone(_progress.progress_of(False))
        with self.assertRaises(TypeError):
            _progress.progress_of("yes")

    def test_one_that_has_lost_its_stderr_is_silent(self):
        before, sys.stderr = sys.stderr, None
        try:
            self.assertIsNone(_progress.progress_of(None))
        finally:
            sys.stderr = before


if __name__ == "__main__":
    unittest.main()
