# SPDX-License-Identifier: Apache-2.0
"""What `ferry bench` says of a GPU: its times in trtexec's words, its memory to the byte, and its sensors, from NVIDIA's
library or from a board's files. The GPU is emulated, the sensors are made up."""
import os
import shutil
import subprocess
import unittest

from cli_case import CliCase
from emulated_gpu import DRIVER, NVRTC, Environment
from support.ferry_python import call, call_json

NVML = r"""
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **d) { *d = 0; return i; }
int nvmlDeviceGetClockInfo(void *d, int kind, unsigned *out) { *out = kind == 1 ? 1980 : 2619; return d != 0; }
int nvmlDeviceGetPowerUsage(void *d, unsigned *out) { *out = 123400; return d != 0; }
int nvmlDeviceGetTemperature(void *d, int kind, unsigned *out) { *out = 41; return d != 0 || kind; }
"""


class BenchGpu(CliCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.gpu_engine = cls.path("gpu.engine")
        with Environment(FERRY_LIBCUDA=DRIVER, FERRY_LIBNVRTC=NVRTC):
            call("build", cls.model, "--device", "cuda", "--fp16", "--no-timing", "-o", cls.gpu_engine)

    def bench(self, run, *words, **environment):
        environment.setdefault("FERRY_LIBNVML", "/nowhere/libnvml.so")
        environment.setdefault("FERRY_ROOT", "/nowhere")
        with Environment(FERRY_LIBCUDA=DRIVER, FERRY_LIBNVRTC="/nowhere", **environment):
            return run("bench", self.gpu_engine, "--device", "cuda", "--iterations", "4", "--duration", "0", "--warmUp",
                       "0", *words)

    def test_times_are_told_in_the_usual_words(self):
        out = self.bench(call, "--streams", "2")[0]
        for line in ("Throughput: ", "Latency: min = ", "Enqueue Time: min = ", "H2D Latency: min = ",
                     "GPU Compute Time: min = ", "D2H Latency: min = ", "Total GPU Compute Time: ",
                     "Total Host Walltime: ", "GPU Memory: "):
            self.assertIn("\n" + line, out)
        self.assertIn("percentile(99%) = ", out)
        self.assertNotIn("GPU right after", out)

    def test_memory_is_counted_to_the_byte(self):
        for streams in (1, 3):
            m = self.bench(call_json, "--streams", streams)["gpu_memory"]
            # The emulated device's code lies elsewhere, and its driver takes nothing for itself.
            self.assertEqual(m["taken"], m["weights"] + m["activations"] + m["bindings"])
            self.assertEqual(m["bindings"], streams * (8 * 3 * 32 * 32 * 4 + 3 * 4))
            self.assertGreater(m["kernels"], 0)
            self.assertGreater(m["weights"], 0)

    def test_a_cpu_has_no_memory_apart(self):
        self.assertNotIn("gpu_memory", call_json("bench", self.engine, "--duration", "0", "--iterations", "2"))

    def test_sensors_are_read_from_nvidias_library(self):
        compiler = os.environ.get("FERRY_CC") or shutil.which("cc")
        source, library = self.path("nvml.c"), self.path("libnvml.so")
        with open(source, "w", encoding="utf-8") as f:
            f.write(NVML)
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
        self.assertIn("GPU right after: 1980 MHz, memory 2619 MHz, 123.4 W, 41 degrees Celsius",
                      self.bench(call, FERRY_LIBNVML=library)[0])
        out = self.bench(call_json, FERRY_LIBNVML=library)
        self.assertEqual((out["gpu_mhz"], out["gpu_w"], out["gpu_celsius"]), (1980, 123.4, 41))

    def test_sensors_are_read_from_a_boards_files(self):
        root = self.path("root")
        files = {"sys/class/devfreq/17000000.gpu/cur_freq": "918000000",
                 "sys/class/thermal/thermal_zone0/type": "CPU-therm", "sys/class/thermal/thermal_zone0/temp": "51000",
                 "sys/class/thermal/thermal_zone1/type": "gpu-thermal", "sys/class/thermal/thermal_zone1/temp": "46500",
                 "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon2/in1_label": "VDD_SOC",
                 "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon2/in2_label": "VDD_IN",
                 "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon2/in2_input": "5000",
                 "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon2/curr2_input": "1500"}
        for name, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
            with open(os.path.join(root, name), "w", encoding="utf-8") as f:
                f.write(text + "\n")
        self.assertIn("GPU right after: 918 MHz, 7.5 W, 46 degrees Celsius", self.bench(call, FERRY_ROOT=root)[0])


if __name__ == "__main__":
    unittest.main()
