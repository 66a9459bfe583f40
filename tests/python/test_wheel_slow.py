# SPDX-License-Identifier: Apache-2.0
"""The package as users get it: `pip install .` and the wheel, in clean virtual environments of the oldest and the
newest Python that the machine offers, where the README's lines for Python are run.

Pip fetches setuptools, numpy and pillow from its index; without one the tests are skipped, and say so."""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.environ.get("FERRY_SOURCE_DIR", os.path.dirname(os.path.dirname(HERE)))
MODELS = os.environ.get("FERRY_TEST_MODELS", os.path.join(SOURCE, "out", "models"))
PARTS = ("CMakeLists.txt", "LICENSE", "MANIFEST.in", "README.md", "pyproject.toml", "setup.py", "cmake", "include",
         "python", "src")
# The system's own, on every Linux; zlib is Python's own need too.
SYSTEM = r"(libc|libm|libpthread|libdl|librt|libz|ld-linux.*|linux-vdso)\.so\.\d+"


def version_of(python):
    """(3, 6, 15), or None where it can't make virtual environments."""
    code = "import ensurepip, sys, venv; print('%d.%d.%d' % sys.version_info[:3])"
    try:
        done = subprocess.run([python, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return tuple(map(int, done.stdout.decode().split("."))) if done.returncode == 0 else None


def pythons():
    """The oldest and the newest from 3.6 on; one, where there is but one."""
    found = {}
    candidates = glob.glob(os.path.expanduser("~/.pyenv/versions/3.*/bin/python"))
    candidates += ["python3.%d" % minor for minor in range(6, 20)] + ["python3", sys.executable]
    for python in candidates:
        version = version_of(python)
        if version and version >= (3, 6):
            found.setdefault(version, python)
    return [found[v] for v in sorted({min(found), max(found)})]


def readme_lines():
    """The Python code of the README's section for it: the indented block that begins with an import."""
    with open(os.path.join(SOURCE, "README.md"), encoding="utf-8") as file:
        section = re.search(r"\n## From Python\n(.*?)\n## ", file.read(), re.S).group(1)
    lines = [line[4:] for line in section.split("\n") if line.startswith("    ")]
    return "\n".join(line for line in lines if not line.startswith(("pip ", "python ")))


class Wheel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.source = os.path.join(cls.folder, "ferry")
        os.mkdir(cls.source)
        for part in PARTS:
            path = os.path.join(SOURCE, part)
            if os.path.isdir(path):
                shutil.copytree(path, os.path.join(cls.source, part),
                                ignore=shutil.ignore_patterns("__pycache__", "lib", "*.egg-info"))
            else:
                shutil.copy(path, cls.source)
        cls.env = {k: v for k, v in os.environ.items() if not k.startswith(("FERRY_", "PYTHON"))}
        cls.env["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
        if shutil.which("ccache"):
            cls.env["CMAKE_ARGS"] = "-DCMAKE_C_COMPILER_LAUNCHER=ccache"
        cls.pythons = pythons()
        cls.work = cls.make_work()
        builder = cls.venv(cls.pythons[-1], "build")
        cls.run_in(builder, "-m", "pip", "wheel", "--no-deps", "-w", os.path.join(cls.folder, "wheels"), cls.source)
        cls.wheel, = glob.glob(os.path.join(cls.folder, "wheels", "*.whl"))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    @classmethod
    def run_in(cls, python, *words, **options):
        done = subprocess.run([python] + list(words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=cls.env,
                              timeout=1500, **options)
        text = done.stdout.decode("utf-8", "replace")
        if done.returncode:
            if re.search(r"connection broken|Temporary failure in name resolution|ConnectionError", text):
                raise unittest.SkipTest("pip reached no index:\n" + text[-500:])
            raise AssertionError("%s: status %d\n%s" % (" ".join(words), done.returncode, text[-6000:]))
        return text

    @classmethod
    def venv(cls, python, name):
        path = os.path.join(cls.folder, name)
        cls.run_in(python, "-m", "venv", path)
        return os.path.join(path, "bin", "python")

    @classmethod
    def make_work(cls):
        """A folder with what the README's lines name: a model, pictures, labels."""
        work = os.path.join(cls.folder, "work")
        os.mkdir(work)
        pictures = os.path.join(SOURCE, "examples", "pictures")
        shutil.copytree(os.path.join(pictures, "calibrate"), os.path.join(work, "pictures"))
        shutil.copy(os.path.join(pictures, "run", "cat.jpg"), work)
        shutil.copy(os.path.join(SOURCE, "examples", "labels", "imagenet.txt"), os.path.join(work, "labels.txt"))
        model = os.path.join(MODELS, "efficientnet_lite0.onnx")
        if not os.path.exists(model):
            raise unittest.SkipTest("%s is not there (tools/ci/models.sh fetches it)" % model)
        shutil.copy(model, os.path.join(work, "model.onnx"))
        return work

    def check_readme(self, python):
        for name in glob.glob(os.path.join(self.work, "*.engine")):
            os.remove(name)
        told = self.run_in(python, "-c", "import ferry; print(ferry._lib.path)", cwd=self.work)
        self.assertIn(os.path.join("site-packages", "ferry", "lib"), told)
        printed = self.run_in(python, "-c", readme_lines(), cwd=self.work)
        self.assertIn("cat", printed)
        self.assertTrue(glob.glob(os.path.join(self.work, "*.engine")))

    def test_the_wheel_serves_every_python_of_its_platform(self):
        self.assertRegex(os.path.basename(self.wheel), r"^ferry-[0-9.]+-py3-none-linux_\w+\.whl$")
        names = zipfile.ZipFile(self.wheel).namelist()
        self.assertIn("ferry/py.typed", names)
        self.assertIn("ferry/lib/libferry.so.0", names)
        # The notices of each library that it takes along, inside or beside.
        self.assertEqual(len([n for n in names if n.startswith("ferry/lib/licenses/")]), 5)
        self.assertFalse([n for n in names if ".data/" in n or n.endswith(".pyc")])

    def test_the_wheel_holds_what_its_library_needs(self):
        with tempfile.TemporaryDirectory() as folder:
            zipfile.ZipFile(self.wheel).extractall(folder)
            libraries = glob.glob(os.path.join(folder, "ferry", "lib", "*.so.*"))
            inside = {os.path.basename(path) for path in libraries}
            for path in libraries:
                dynamic = subprocess.check_output(["readelf", "-d", path]).decode()
                for needed in re.findall(r"NEEDED.*\[(.*)\]", dynamic):
                    self.assertTrue(needed in inside or re.match(SYSTEM + "$", needed), "%s needs %s" % (path, needed))
            ferry = os.path.join(folder, "ferry", "lib", "libferry.so.0")
            self.assertRegex(subprocess.check_output(["readelf", "-d", ferry]).decode(), r"R(UN)?PATH.*\[\$ORIGIN\]")
            exported = subprocess.check_output(["nm", "-D", "--defined-only", ferry]).decode().split("\n")
            self.assertEqual([s for s in exported if s and " ferry_" not in s], [])

    def test_the_readmes_lines_run_from_the_wheel(self):
        for python in self.pythons:
            with self.subTest(python):
                own = self.venv(python, "wheel-%d.%d" % version_of(python)[:2])
                self.run_in(own, "-m", "pip", "install", "-q", self.wheel)
                self.check_readme(own)
                print("the wheel serves Python %d.%d.%d" % version_of(python))

    def test_pip_install_from_the_source_tree(self):
        """With the oldest Python, whose pip is the one that needs it simplest."""
        python = self.pythons[0]
        own = self.venv(python, "source-%d.%d" % version_of(python)[:2])
        self.run_in(own, "-m", "pip", "install", "-q", ".", cwd=self.source)
        self.check_readme(own)
        print("pip install . serves Python %d.%d.%d" % version_of(python))


if __name__ == "__main__":
    unittest.main()
