#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a virtual environment with the newest PyTorch of PyPI for tests on the CPU, in 0.6 GB instead of 3.

usage: cpu_torch.py DIR PACKAGE...   (more packages, installed without what they need)

PyPI's wheels for Linux link to CUDA's libraries, 2.5 GB that nothing on a CPU calls. So torch comes without them, and
empty libraries stand in: each has the names that torch's files want of it, as functions that answer 999, CUDA's
"unknown error". The two small ones that torch does call when it is imported are the real ones. Tests only: a program
that has this torch look for a GPU is told that there is none.

Needs cc, readelf and nm. Does nothing where DIR is already done."""
import glob
import os
import re
import subprocess
import sys
import tempfile
import venv

# What import torch needs of Python's packages, and the libraries of CUDA that it calls at once.
TORCH = ["numpy<3", "typing_extensions", "filelock", "sympy", "mpmath", "networkx", "jinja2", "MarkupSafe", "fsspec",
         "setuptools"]
CALLED = ("cudart", "cupti")
# Whatever else a file of torch's may link to is the system's, or is not reached on this way.
FOREIGN = re.compile(r"lib(c|m|dl|rt|pthread|stdc\+\+|gcc_s|z|gomp|quadmath)\.so|ld-linux")


def read(*command):
    """A command's standard output; nm and readelf say no on files that are none of theirs, which is fine."""
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode("utf-8", "replace")


def wanted_libraries(files):
    """{library: its symbol versions} that the files link to."""
    wanted, versions = set(), {}
    for path in files:
        library = None
        for line in read("readelf", "-WVd", path).splitlines():
            needed = re.search(r"\(NEEDED\).*\[(.*)\]", line)
            of = re.search(r"File: (\S+)", line)
            version = re.search(r"Name: (\S+)\s+Flags", line)
            if needed:
                wanted.add(needed.group(1))
            if of:
                library = of.group(1)
            if version and library:
                versions.setdefault(library, set()).add(version.group(1))
    return {library: sorted(versions.get(library, ())) for library in wanted}


def undefined_symbols(files, also):
    """Names that the files take from elsewhere and that neither they nor `also` have."""
    taken, there = set(), set()
    for path in files:
        taken.update(line.split()[-1].split("@")[0] for line in read("nm", "-D", "--undefined-only", path).splitlines())
    for path in files + also:
        there.update(line.split()[-1].split("@")[0] for line in read("nm", "-D", "--defined-only", path).splitlines())
    return sorted(n for n in taken - there if re.match(r"[A-Za-z_]\w*$", n) and not re.match(r"_?Py|__|_ITM_", n))


def stand_in(library, versions, source, folder):
    """Compiles an empty library of that name."""
    script = os.path.join(os.path.dirname(source), "versions.map")
    with open(script, "w") as file:
        for i, version in enumerate(versions):
            file.write("%s { %s };\n" % (version, "global: *;" if i == 0 else ""))
    subprocess.run(["cc", "-shared", "-fPIC", "-w", "-fno-builtin", source, "-o", os.path.join(folder, library),
                    "-Wl,-soname," + library] + (["-Wl,--version-script=" + script] if versions else []), check=True)


def fill_in(packages):
    """Puts stand-ins beside torch's own libraries for all that is not there."""
    folder = os.path.join(packages, "torch", "lib")
    files = glob.glob(os.path.join(folder, "*.so*"))
    real = glob.glob(os.path.join(packages, "nvidia", "**", "*.so*"), recursive=True)
    here = {os.path.basename(path) for path in files + real}
    system = [path for name in ("c", "m", "stdc++", "gcc_s", "pthread", "dl", "rt")
              for path in re.findall(r"=> (\S*/lib%s\.so\S*)" % re.escape(name), read("ldd", files[0]))]
    with tempfile.TemporaryDirectory() as scratch:
        source = os.path.join(scratch, "empty.c")
        with open(source, "w") as file:
            file.writelines("int %s(void) { return 999; }\n" % n for n in undefined_symbols(files, real + system))
        for library, versions in sorted(wanted_libraries(files).items()):
            if library not in here and not FOREIGN.match(library):
                stand_in(library, versions, source, folder)


def called_packages(python):
    """Requirements of the real CUDA libraries, in the version that this torch wants."""
    code = "import importlib.metadata as m; print('\\n'.join(m.requires('torch') or []))"
    lines = [line.split(";")[0].strip() for line in read(python, "-c", code).splitlines()]
    toolkit = next((re.search(r"==(\d+\.\d+)", s).group(1) for s in lines if s.startswith("cuda-toolkit")), None)
    if toolkit:  # from 2.11 on
        return ["nvidia-cuda-runtime==%s.*" % toolkit, "nvidia-cuda-cupti==%s.*" % toolkit]
    return [line for line in lines if re.match(r"nvidia-cuda-(runtime|cupti)-", line)]


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    folder, more = os.path.abspath(sys.argv[1]), sys.argv[2:]
    stamp, python = os.path.join(folder, "ferry-stamp"), os.path.join(folder, "bin", "python")
    with open(__file__) as file:
        state = "%s %s\n%s" % (sys.version, more, file.read())
    if os.path.exists(stamp):
        with open(stamp) as file:
            if file.read() == state:
                print("%s: already done" % folder)
                return 0
    venv.create(folder, with_pip=True, clear=True)
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet", "--no-deps",
           "--only-binary=:all:"]
    subprocess.run(pip + ["torch"] + TORCH, check=True)
    subprocess.run(pip + called_packages(python) + more, check=True)
    packages = read(python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])").strip()
    fill_in(packages)
    subprocess.run([python, "-c", "import torch; assert not torch.cuda.is_available(); "
                                  "assert (torch.ones(2).numpy() == 1).all(); print('torch', torch.__version__)"],
                   check=True)
    with open(stamp, "w") as file:
        file.write(state)
    return 0


if __name__ == "__main__":
    sys.exit(main())
