# SPDX-License-Identifier: Apache-2.0
"""What `ferry doctor` says of machines in all states: whole, without a GPU, with a driver that is no driver, is too old,
does not start or finds nothing, with a damaged compiler, on a Jetson. The GPU is emulated, the rest made up."""
import os
import shutil
import subprocess
import unittest

from cli_case import CliCase
from emulated_gpu import DRIVER, NVRTC, Environment
from support.ferry_python import call, call_json

NOWHERE = "/nowhere/libcuda.so.1"


class Doctor(CliCase):
    def findings(self, status=0, **environment):
        """{part: [finding, ...]} of a run that ends with that status."""
        settings = dict(FERRY_LIBCUDA=NOWHERE, FERRY_LIBNVRTC="/nowhere", FERRY_ROOT="/nowhere")
        settings.update(environment)
        with Environment(**settings):
            if status:
                code, out, err = self.status("doctor")
                self.assertEqual((code, "BROKEN" in out), (1, True), out + err)
                self.assertIn("is broken", err)
                return self.parse(out)
            self.assertTrue(call_json("doctor")["works"])
            return self.parse(call("doctor")[0])

    @staticmethod
    def parse(text):
        """Lines of the report as {part: [(state, text and remedy)]}."""
        parts = {}
        last = None
        for line in text.splitlines():
            if line.startswith(" "):
                state, words = parts[last].pop()
                parts[last].append((state, words + line))
                continue
            last = line[8:24].strip()
            parts.setdefault(last, []).append((line[:8].strip(), line[24:]))
        return parts

    def expect(self, findings, part, state, *words):
        self.assertEqual(len(findings[part]), 1, findings[part])
        self.assertEqual(findings[part][0][0], state, findings[part])
        for word in words:
            self.assertIn(word, findings[part][0][1])

    def compiled(self, name, source):
        """A shared library compiled from C."""
        path = self.path(name)
        with open(path + ".c", "w", encoding="utf-8") as f:
            f.write(source)
        subprocess.run([os.environ.get("FERRY_CC") or shutil.which("cc"), "-shared", "-fPIC", "-o", path, path + ".c"],
                       check=True)
        return path

    def root(self, **files):
        """A folder that stands for /: {path with "__" for "/": text}."""
        folder = self.path("root")
        shutil.rmtree(folder, ignore_errors=True)
        for name, text in files.items():
            path = os.path.join(folder, name.replace("__", "/"))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        return folder

    def test_a_whole_machine(self):
        found = self.findings(FERRY_LIBCUDA=DRIVER, FERRY_LIBNVRTC=NVRTC)
        self.expect(found, "CPU", "works", "threads")
        self.expect(found, "GPU driver", "works", "CUDA 12.9", DRIVER)
        self.expect(found, "GPU cuda:0", "works", "compute capability 9.0", "GB free")
        self.expect(found, "NVRTC", "works", "12.9", NVRTC, "sm_53 ", "sm_90 ")
        self.expect(found, "trial on cpu", "works")
        self.expect(found, "trial on cuda:0", "works")
        for part in ("JPEG", "PNG"):
            self.expect(found, part, "works")

    def test_a_machine_without_a_gpu(self):
        found = self.findings()
        self.expect(found, "GPU driver", "absent", NOWHERE, "no NVIDIA GPU is seen either", "--target")
        self.expect(found, "NVRTC", "absent", "can be run, not built", "looked for in /nowhere",
                    "pip install nvidia-cuda-nvrtc-cu12")
        self.expect(found, "DLA", "absent")
        self.expect(found, "trial on cpu", "works")
        self.assertNotIn("trial on cuda:0", found)
        self.assertNotIn("Jetson", found)

    def test_a_gpu_without_a_driver(self):
        root = self.root(**{"sys__bus__pci__devices__0000:03:00.0__vendor": "0x8086\n",
                            "sys__bus__pci__devices__0000:03:00.0__class": "0x030000\n",
                            "sys__bus__pci__devices__0000:41:00.0__vendor": "0x10de\n",
                            "sys__bus__pci__devices__0000:41:00.0__class": "0x030200\n"})
        self.expect(self.findings(FERRY_ROOT=root), "GPU driver", "absent", "an NVIDIA GPU is there, PCI 0000:41:00.0",
                    "install NVIDIA's driver")

    def test_a_driver_that_is_no_library(self):
        text = self.path("libcuda.so.1")
        with open(text, "w", encoding="utf-8") as f:
            f.write("no library at all\n")
        self.expect(self.findings(1, FERRY_LIBCUDA=text), "GPU driver", "BROKEN", text, "FERRY_LIBCUDA")

    def test_a_driver_that_is_another_library(self):
        self.expect(self.findings(1, FERRY_LIBCUDA=NVRTC), "GPU driver", "BROKEN", "is no NVIDIA driver")

    def test_a_driver_that_is_too_old(self):
        self.expect(self.findings(1, FERRY_LIBCUDA=DRIVER, FERRY_EMULATED_FAIL="olddriver"), "GPU driver", "BROKEN",
                    "CUDA 9.2", "install a newer driver")
        old = self.compiled("libold.so", "int cuInit(unsigned flags) { return (int)flags; }\n")
        self.expect(self.findings(1, FERRY_LIBCUDA=old), "GPU driver", "BROKEN", "older than CUDA 10.2")

    def test_a_driver_that_does_not_start(self):
        self.expect(self.findings(1, FERRY_LIBCUDA=DRIVER, FERRY_EMULATED_FAIL="init"), "GPU driver", "BROKEN",
                    "starting the NVIDIA driver", "803", "nvidia-smi")

    def test_a_driver_that_finds_no_gpu(self):
        self.expect(self.findings(FERRY_LIBCUDA=DRIVER, FERRY_EMULATED_FAIL="nodevice"), "GPU driver", "absent",
                    "finds no GPU", "CUDA_VISIBLE_DEVICES")

    def test_a_gpu_that_runs_out_of_memory_at_once(self):
        found = self.findings(1, FERRY_LIBCUDA=DRIVER, FERRY_LIBNVRTC=NVRTC, FERRY_EMULATED_FAIL="alloc:1")
        self.expect(found, "trial on cuda:0", "BROKEN")
        self.expect(found, "trial on cpu", "works")

    def test_a_compiler_for_another_driver_is_no_fault(self):
        found = self.findings(FERRY_LIBCUDA=DRIVER)
        self.expect(found, "GPU cuda:0", "works")
        self.expect(found, "NVRTC", "absent")
        self.assertNotIn("trial on cuda:0", found)

    def test_a_damaged_compiler(self):
        with open(self.path("libnvrtc.so.12"), "w", encoding="utf-8") as f:
            f.write("cut off\n")
        self.expect(self.findings(1, FERRY_LIBNVRTC=self.folder), "NVRTC", "BROKEN", self.path("libnvrtc.so.12"),
                    "is there and can't be used")
        os.remove(self.path("libnvrtc.so.12"))

    def test_a_cache_that_can_not_be_written(self):
        self.expect(self.findings(XDG_CACHE_HOME=self.model), "kernel cache", "absent", "can't be written",
                    "XDG_CACHE_HOME")
        self.expect(self.findings(XDG_CACHE_HOME=self.path("caches")), "kernel cache", "works", self.path("caches"),
                    "0 kernels")

    def test_an_instruction_set_that_is_none(self):
        found = self.findings(1, FERRY_CPU="sse9")
        self.expect(found, "CPU", "BROKEN", "sse9", "unset FERRY_CPU")
        self.expect(self.findings(FERRY_CPU="none"), "CPU", "works", "held to it by FERRY_CPU=none")

    def test_a_jetson(self):
        root = self.root(etc__nv_tegra_release="# R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic, EABI: aarch64\n",
                         etc__nvpmodel_conf="", var__lib__nvpmodel__status="pmode:0002\n",
                         proc__meminfo="MemTotal: 8000000 kB\nMemAvailable: 6000000 kB\n")
        os.rename(os.path.join(root, "etc", "nvpmodel_conf"), os.path.join(root, "etc", "nvpmodel.conf"))
        with open(os.path.join(root, "etc", "nvpmodel.conf"), "w", encoding="utf-8") as f:
            f.write("< POWER_MODEL ID=0 NAME=15W >\n  CPU_ONLINE CORE_0 1\n< POWER_MODEL ID=2 NAME=MAXN_SUPER >\n")
        found = self.findings(FERRY_ROOT=root)
        self.expect(found, "Jetson", "works", "JetPack 6, L4T 36.4.3, power mode 2 (MAXN_SUPER)")
        self.expect(found, "memory", "works", "6.1 of 8.2 GB free")


class Devices(CliCase):
    def test_a_machine_without_a_gpu_is_given_a_hint(self):
        with Environment(FERRY_LIBCUDA=NOWHERE):
            self.assertIn("no GPU can be used; 'ferry doctor' says", call("devices")[0])
            self.assertNotIn("doctor", str(call_json("devices")))
        with Environment(FERRY_LIBCUDA=DRIVER):
            self.assertNotIn("doctor", call("devices")[0])


if __name__ == "__main__":
    unittest.main()
