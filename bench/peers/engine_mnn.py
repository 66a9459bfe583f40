# SPDX-License-Identifier: Apache-2.0
"""MNN, from its own converter. PyPI's wheel computes in FP32: its lower precision gives the same bits there, and its INT8
is several times slower."""
import os

from .model import Skip


class Engine:
    precisions = ("fp32",)

    def prepare(self, model, precision, folder, n_calibration):
        if precision != "fp32":
            raise Skip("PyPI's wheel has nothing faster than FP32")
        converted = os.path.join(folder, model.name + ".mnn")
        if not os.path.exists(converted):
            import _tools  # the converter itself: the command around it installs a package that reports to the vendor

            _tools.mnnconvert(["mnnconvert", "-f", "ONNX", "--modelFile", model.path, "--MNNModel", converted,
                               "--bizCode", "none"])
        if not os.path.exists(converted):
            raise Skip("its converter wrote nothing")
        return converted

    def import_module(self):
        import MNN

        self.module = MNN

    def host_tensor(self, shape, array):
        return self.module.Tensor(tuple(shape), self.module.Halide_Type_Float, array,
                                   self.module.Tensor_DimensionType_Caffe)

    def take_inputs(self, model, samples):
        self.inputs = [self.host_tensor(model.shape, s) for s in samples]

    def load(self, path, model, precision, threads):
        import numpy

        self.interpreter = self.module.Interpreter(path)
        self.session = self.interpreter.createSession({"backend": "CPU", "numThread": threads, "precision": "high"})
        self.input = self.interpreter.getSessionInput(self.session)
        self.result = self.interpreter.getSessionOutput(self.session)
        shape = self.result.getShape()
        self.copied = self.host_tensor(shape, numpy.zeros(shape, numpy.float32))

    def run(self, i):
        self.input.copyFrom(self.inputs[i])
        self.interpreter.runSession(self.session)
        self.result.copyToHostTensor(self.copied)

    def output(self):
        import numpy

        return numpy.array(self.copied.getNumpyData())
