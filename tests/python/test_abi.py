# SPDX-License-Identifier: Apache-2.0
"""The tables of the Python package against the C headers: every function, every parameter, every struct's layout."""
import ctypes
import glob
import os
import re
import subprocess
import tempfile
import unittest

import python_case as case
from ferry import _functions, _structs
from ferry._library import lib

HEADERS = sorted(glob.glob(os.path.join(case.SOURCE, "include", "ferry", "*.h")))


def text_of_headers():
    found = []
    for path in HEADERS:
        with open(path, encoding="utf-8") as file:
            found.append(re.sub(r"//.*", "", file.read()))
    return "\n".join(found)


def split_parameters(text):
    """At commas that lie in no parentheses."""
    parts, depth, current = [], 0, ""
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += character
    parts.append(current)
    return [p.strip() for p in parts if p.strip() not in ("", "void")]


def declared():
    """{name: (return type, parameters)} of each FERRY_API function."""
    found = {}
    function = r"FERRY_API\s+([^;{()]*?)\b(ferry_\w+)\s*\(((?:[^()]|\([^()]*\))*)\)\s*;"
    for returns, name, parameters in re.findall(function, text_of_headers()):
        found[name] = (returns.strip(), split_parameters(parameters))
    return found


class Functions(unittest.TestCase):
    def test_every_declared_function_is_bound_and_no_other(self):
        self.assertGreater(len(declared()), 100)
        self.assertEqual(set(declared()), set(_functions.FUNCTIONS))

    def test_each_has_as_many_parameters(self):
        for name, (returns, parameters) in declared().items():
            bound_returns, takes = _functions.FUNCTIONS[name]
            fails = returns == "ferry_status"
            self.assertEqual(bound_returns is _functions.S, fails, name)
            if fails:
                self.assertRegex(parameters[-1], r"^ferry_error \*", name)
            self.assertEqual(len(takes) + fails, len(parameters), "%s(%s)" % (name, ", ".join(parameters)))

    def test_each_parameter_is_of_the_kind_that_c_has(self):
        scalars = {"int32_t": ctypes.c_int, "int": ctypes.c_int, "uint32_t": ctypes.c_uint32, "bool": ctypes.c_bool,
                   "int64_t": ctypes.c_int64, "uint64_t": ctypes.c_uint64, "size_t": ctypes.c_size_t,
                   "float": ctypes.c_float, "double": ctypes.c_double, "uint8_t": ctypes.c_ubyte}
        for name, (returns, parameters) in declared().items():
            bound_returns, takes = _functions.FUNCTIONS[name]
            for bound, parameter in zip(takes, parameters):
                where = "%s: %s" % (name, parameter)
                words = re.sub(r"\bconst\b", "", parameter).split()
                if "*" in parameter or "[" in parameter or words[0] == "ferry_tensor_observer":
                    self.assertEqual(ctypes.sizeof(bound), ctypes.sizeof(ctypes.c_void_p), where)
                    self.assertNotIn(bound, scalars.values() if bound is not ctypes.c_void_p else (), where)
                else:  # what is no scalar by name is an enum
                    self.assertIs(bound, scalars.get(words[0], ctypes.c_int), where)
            if returns in scalars:
                self.assertIs(bound_returns, scalars[returns], name)

    def test_the_library_has_each(self):
        for name in declared():
            self.assertTrue(hasattr(lib.raw, name[len("ferry_"):]), name)


class Structs(unittest.TestCase):
    def c_name(self, python_name):
        return "ferry_" + re.sub(r"(?<!^)(?=[A-Z])", "_", python_name).lower()

    def structs(self):
        return {self.c_name(name): value for name, value in vars(_structs).items()
                if isinstance(value, type) and issubclass(value, _structs.Struct) and value is not _structs.Struct}

    def test_every_struct_with_members_is_described(self):
        text = text_of_headers()
        with_members = set(re.findall(r"typedef struct (ferry_\w+)\s*\{", text))
        self.assertEqual(with_members, set(self.structs()))

    def test_sizes_and_offsets_are_the_compilers(self):
        lines = ['#include <stdio.h>', '#include <stddef.h>', '#include "ferry/ferry.h"', "int main(void) {"]
        expected = []
        for c_name, python in sorted(self.structs().items()):
            lines.append('printf("%s %%zu\\n", sizeof(%s));' % (c_name, c_name))
            expected.append("%s %d" % (c_name, ctypes.sizeof(python)))
            for field, kind in python._fields_:
                lines.append('printf("%s.%s %%zu %%zu\\n", offsetof(%s, %s), sizeof(((%s *)0)->%s));'
                             % (c_name, field, c_name, field, c_name, field))
                expected.append("%s.%s %d %d" % (c_name, field, getattr(python, field).offset, ctypes.sizeof(kind)))
        with tempfile.TemporaryDirectory() as folder:
            source, program = os.path.join(folder, "sizes.c"), os.path.join(folder, "sizes")
            with open(source, "w") as file:
                file.write("\n".join(lines + ["return 0;", "}"]))
            subprocess.check_call([os.environ.get("FERRY_CC") or "cc", "-std=c11", "-I",
                                   os.path.join(case.SOURCE, "include"), source, "-o", program])
            printed = subprocess.check_output([program]).decode().split("\n")[:-1]
        self.assertEqual(printed, expected)

    def test_no_member_is_missing(self):
        """Sizes would agree where a member hides in padding: the headers' member names are counted too."""
        text = re.sub(r"\s+", " ", text_of_headers())
        for c_name, python in self.structs().items():
            body = re.search(r"typedef struct %s \{(.*?)\} %s;" % (c_name, c_name), text).group(1)
            members = []
            for declaration in body.split(";"):
                callback = re.search(r"\(\*(\w+)\)", declaration)
                names = [callback.group(1)] if callback else re.findall(r"(\w+)(?:\[\w+\])?\s*(?:,|$)", declaration)
                members += names
            self.assertEqual(members, [field for field, _kind in python._fields_], c_name)

    def test_enumerations_have_the_headers_values(self):
        text = text_of_headers()

        def value(name):
            return int(re.search(r"\b%s = (\d+)" % name, text).group(1))

        import ferry
        for member in ferry.DataType:
            self.assertEqual(member.value, value({"NONE": "FERRY_DTYPE_NONE"}.get(member.name,
                                                                                 "FERRY_" + member.name)))
        for member in ferry.Severity:
            self.assertEqual(member.value, value("FERRY_SEVERITY_" + member.name))
        for kind in (k for k in vars(ferry).values() if isinstance(k, type) and issubclass(k, ferry.Error)):
            if "status" in vars(kind) and kind is not ferry.Error:
                name = {"FileError": "IO"}.get(kind.__name__) or re.sub(
                    r"(?<!^)(?=[A-Z])", "_", kind.__name__[:-len("Error")]).upper()
                self.assertEqual(kind.status, value("FERRY_ERR_" + name), kind)


if __name__ == "__main__":
    unittest.main()
