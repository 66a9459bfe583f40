# SPDX-License-Identifier: Apache-2.0
"""What a reader of the package finds: help everywhere, type hints everywhere, code that the oldest Python reads."""
import ast
import glob
import inspect
import os
import re
import subprocess
import typing
import unittest

import python_case as case
import ferry

CORE = sorted(glob.glob(os.path.join(case.PACKAGE, "ferry", "*.py")))


def public_members():
    for name in ferry.__all__:
        thing = getattr(ferry, name)
        yield name, thing
        if inspect.isclass(thing) and not issubclass(thing, Exception):
            for member, value in vars(thing).items():
                if not member.startswith("_") and (callable(value) or isinstance(value, (property, classmethod,
                                                                                         staticmethod))):
                    yield "%s.%s" % (name, member), value


class Reading(unittest.TestCase):
    def test_everything_public_has_a_docstring(self):
        aliases = {"Stream.synchronize", "Event.synchronize"}
        missing = [name for name, thing in public_members() if not inspect.getdoc(getattr(thing, "__func__", thing))]
        self.assertEqual([m for m in missing if m not in aliases], [])
        for path in CORE:
            with open(path, encoding="utf-8") as file:
                self.assertTrue(ast.get_docstring(ast.parse(file.read())), path)

    def test_every_public_function_says_its_types(self):
        for name, thing in public_members():
            function = getattr(thing, "__func__", getattr(thing, "fget", thing))
            if not inspect.isfunction(function) or not function.__module__.startswith("ferry"):
                continue
            hints = dict(function.__annotations__)
            wanted = [p for p in inspect.signature(function).parameters if p not in ("self", "cls")] + ["return"]
            self.assertEqual([w for w in wanted if w not in hints], [], name)
        self.assertTrue(os.path.exists(os.path.join(case.PACKAGE, "ferry", "py.typed")))
        self.assertTrue(typing.get_type_hints(ferry.load))

    def test_names_are_shown_as_they_are_used(self):
        for name, thing in public_members():
            if "." not in name:
                self.assertEqual(thing.__module__, "ferry", name)

    def test_help_teaches(self):
        for word in ("ferry.build(", "ferry.load(", "create_context", "run_async", "calib"):
            self.assertIn(word, ferry.__doc__)
        self.assertIn("calib_cache", ferry.build.__doc__)

    def test_the_version_is_the_librarys(self):
        with open(os.path.join(case.SOURCE, "CMakeLists.txt")) as file:
            self.assertEqual(re.search(r"VERSION ([0-9.]+) LANG", file.read()).group(1), ferry.__version__)

    def test_importing_it_imports_little(self):
        out, _err = case.run_python("import sys, ferry\nprint([m for m in ('torch', 'PIL', 'tqdm', 'ray', 'onnx') "
                                    "if m in sys.modules])")
        self.assertEqual(out.strip(), "[]")

    def test_a_library_that_is_not_there_is_an_import_error_with_the_way_out(self):
        code = "import os; os.environ['FERRY_LIBRARY'] = '/no/such/libferry.so'\nimport ferry"
        _out, err = case.run_python(code, fails=True)
        self.assertIn("ImportError: libferry could not be loaded: /no/such/libferry.so", err)
        self.assertIn("FERRY_LIBRARY", err.strip().split("\n")[-1])

    def test_the_oldest_python_reads_the_code(self):
        for python in (os.path.expanduser("~/.pyenv/versions/3.6.15/bin/python"), "python3.6"):
            try:
                done = subprocess.run([python, "-c", "import ast, sys\nfor f in sys.argv[1:]: ast.parse(open(f, "
                                                     "encoding='utf-8').read(), f)"] + CORE, stderr=subprocess.PIPE)
            except OSError:
                continue
            self.assertEqual(done.stderr.decode(), "")
            return
        self.skipTest("there is no Python 3.6 here")


if __name__ == "__main__":
    unittest.main()
