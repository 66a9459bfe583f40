# SPDX-License-Identifier: Apache-2.0
"""Builds the Python package: the modules under python/, and libferry for them, compiled by CMake.

The package calls libferry through ctypes and holds no extension module, so that one wheel a platform serves every
Python from 3.6 on. CMAKE_ARGS in the environment is passed on to CMake."""
import os
import re
import shlex
import shutil
import subprocess
import sys

from setuptools import Distribution, find_packages, setup
from setuptools.command.build_py import build_py
from setuptools.command.install import install

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:  # setuptools before 70
    try:
        from wheel.bdist_wheel import bdist_wheel
    except ImportError:  # an sdist needs no wheel
        bdist_wheel = object

ROOT = os.path.dirname(os.path.abspath(__file__))


def version():
    with open(os.path.join(ROOT, "CMakeLists.txt"), encoding="utf-8") as file:
        return re.search(r"project\(ferry VERSION ([0-9.]+)", file.read()).group(1)


def readme():
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        return file.read()


def run(*command):
    print("ferry:", " ".join(command), flush=True)
    try:
        subprocess.check_call(command)
    except FileNotFoundError:
        sys.exit("ferry: %s is not installed; tools/setup.sh installs what building ferry needs" % command[0])
    except subprocess.CalledProcessError:
        sys.exit("ferry: libferry was not built; the reason is above. tools/setup.sh installs what it needs: a C "
                 "compiler, CMake 3.16, pkg-config, protobuf-c, libjpeg-turbo, libspng, xxHash, jansson")


class BuildWithLibrary(build_py):
    """Copies the modules, then puts libferry, and the shared libraries that it takes along, into ferry/lib."""

    def run(self):
        super().run()
        work = os.path.abspath(os.path.join(self.get_finalized_command("build").build_temp, "libferry"))
        jobs = os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL") or str(len(os.sched_getaffinity(0)))
        options = shlex.split(os.environ.get("CMAKE_ARGS", ""))
        run("cmake", "-S", ROOT, "-B", work, "-DCMAKE_BUILD_TYPE=Release", "-DFERRY_BUNDLE=ON",
            "-DFERRY_BUILD_TESTS=OFF", "-DFERRY_BUILD_TOOLS=OFF", "-DFERRY_WERROR=OFF", *options)
        run("cmake", "--build", work, "--target", "ferry", "--parallel", jobs)
        made = os.path.join(work, "bundle")
        shutil.rmtree(made, ignore_errors=True)
        run("cmake", "--install", work, "--component", "bundle", "--prefix", made)
        target = os.path.join(ROOT, "python") if getattr(self, "editable_mode", False) else self.build_lib
        folder = os.path.join(target, "ferry", "lib")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(made, folder)


class PlatformWheel(bdist_wheel):
    """py3-none-PLATFORM: any Python 3, but the library's machine."""

    def finalize_options(self):
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self):
        return ("py3", "none") + tuple(super().get_tag()[2:])


class PlatformInstall(install):
    """Goes where packages with compiled parts go, which older setuptools decides by extension modules alone."""

    def finalize_options(self):
        super().finalize_options()
        self.install_lib = self.install_platlib


class PlatformDistribution(Distribution):
    """Has a part for its machine."""

    def has_ext_modules(self):
        return True


setup(
    name="ferry",
    version=version(),
    description="Carries trained neural networks (ONNX) to the device that runs them",
    long_description=readme(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    package_dir={"": "python"},
    packages=find_packages("python", include=["ferry", "ferry.*"]),
    package_data={"ferry": ["py.typed"]},
    python_requires=">=3.6",
    install_requires=["numpy>=1.13"],
    extras_require={"pictures": ["pillow"], "progress": ["tqdm"]},
    cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": PlatformWheel, "install": PlatformInstall},
    distclass=PlatformDistribution,
    zip_safe=False,
)
