# SPDX-License-Identifier: Apache-2.0
"""ncnn: converted by pnnx, from TorchScript where there is one (its better path), else from ONNX."""
import os
import re
import subprocess
import tempfile

from .model import Skip

# What pnnx leaves in a network when it knows no layer of ncnn for it.
UNMAPPED = re.compile(r"^((?:aten|prim)::\S+|(?:pnnx|nn|F|torch|Tensor)\.\S+)", re.MULTILINE)


class Engine:
    precisions = ("fp32", "bf16")

    def prepare(self, model, precision, folder, n_calibration):
        if precision == "int8":
            raise Skip("its quantiser is not among PyPI's packages")
        network = os.path.join(folder, model.name + ".ncnn.param")
        traced = os.path.join(os.path.dirname(model.path), "torchscript", model.name + ".pt")
        reasons = []
        for source in (traced, model.path):
            if os.path.exists(source) and not os.path.exists(network):
                reasons.append(self.convert(model, source, network))
        if not os.path.exists(network):
            raise Skip("; ".join(reasons))
        return network

    def convert(self, model, source, network):
        """Writes network (.param) and its .bin; returns why it could not, or None."""
        import pnnx

        command = os.path.join(os.path.dirname(pnnx.__file__), "pnnx")
        shape = "inputshape=[%s]f32" % ",".join(map(str, model.shape))
        with tempfile.TemporaryDirectory(dir=os.path.dirname(network)) as folder:
            link = os.path.join(folder, model.name + os.path.splitext(source)[1])
            os.symlink(source, link)  # it writes a dozen files beside its input
            done = subprocess.run([command if os.path.exists(command) else "pnnx", link, shape, "fp16=0"], cwd=folder,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            made = os.path.join(folder, model.name + ".ncnn.param")
            if done.returncode or not os.path.exists(made):
                return "pnnx ended with status %d: %s" % (done.returncode, done.stdout[-200:])
            with open(made) as f:
                unmapped = sorted(set(UNMAPPED.findall(f.read())))
            if unmapped:
                return "pnnx maps no " + ", ".join(unmapped)
            os.replace(made[:-5] + "bin", network[:-5] + "bin")
            os.replace(made, network)
        return None

    def import_module(self):
        import ncnn

        self.module = ncnn

    def take_inputs(self, model, samples):
        self.inputs = [self.module.Mat(s[0]) for s in samples]

    def load(self, path, model, precision, threads):
        self.network = self.module.Net()
        options = self.network.opt
        options.num_threads = threads
        options.use_vulkan_compute = False
        options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = False
        options.use_bf16_storage = options.use_bf16_packed = precision == "bf16"
        if self.network.load_param(path) or self.network.load_model(path[:-5] + "bin"):
            raise Skip("does not load what pnnx made")
        self.names = self.network.input_names()[0], self.network.output_names()[0]

    def run(self, i):
        extractor = self.network.create_extractor()
        extractor.input(self.names[0], self.inputs[i])
        status, self.result = extractor.extract(self.names[1])
        if status:
            raise Skip("extract() returned %d" % status)

    def output(self):
        import numpy

        return numpy.array(self.result)
