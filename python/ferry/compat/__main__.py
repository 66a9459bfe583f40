# SPDX-License-Identifier: Apache-2.0
"""`python -m ferry.compat script.py arguments`: runs a script with ferry in the place of TensorRT and pycuda."""
import os
import runpy
import sys
import warnings

from ferry.compat._install import install

USAGE = "usage: python -m ferry.compat [-m MODULE | SCRIPT | DIRECTORY] [ARGUMENTS...]"


def main() -> int:
    """As python itself does with its arguments, but with the stand-ins in place."""
    arguments = sys.argv[1:]
    as_module = arguments[:1] == ["-m"]
    if as_module:
        del arguments[0]
    if not arguments or arguments[0].startswith("-"):
        wanted = arguments and arguments[0] in ("-h", "--help")
        print(USAGE, file=sys.stdout if wanted else sys.stderr)
        return 0 if wanted else 2
    if not as_module and not os.path.exists(arguments[0]):
        print("ferry.compat: no script '%s'\n%s" % (arguments[0], USAGE), file=sys.stderr)
        return 2
    if sys.version_info < (3, 7) and not sys.warnoptions:
        warnings.filterwarnings("default", category=DeprecationWarning, module="__main__")  # as from 3.7 on
    install()
    sys.argv[:] = arguments
    if as_module:
        sys.path[0] = os.getcwd()
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = os.path.dirname(os.path.abspath(arguments[0]))
        runpy.run_path(arguments[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main())
