# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime: from ONNX; INT8 by its own static quantiser (dynamic for transformers, as its guide advises)."""
import os

from .model import Skip


class Engine:
    precisions = ("fp32", "int8")

    def prepare(self, model, precision, folder, n_calibration):
        if precision == "fp32":
            return model.path
        if precision != "int8":
            raise Skip("runs no reduced floats on this kind of processor")
        quantised = os.path.join(folder, model.name + ".onnxruntime-int8.onnx")
        if not os.path.exists(quantised):
            self.quantise(model, quantised, n_calibration)
        return quantised

    def quantise(self, model, to, n_calibration):
        from onnxruntime import quantization
        from onnxruntime.quantization.shape_inference import quant_pre_process

        if model.is_transformer:
            quantization.quantize_dynamic(model.path, to, per_channel=True, weight_type=quantization.QuantType.QInt8,
                                          op_types_to_quantize=["MatMul", "Gemm"])
            return

        class Reader(quantization.CalibrationDataReader):
            left = list(model.pictures()[:n_calibration])

            def get_next(self):
                return {model.input: model.samples([self.left.pop(0)])} if self.left else None

        prepared = to + ".prepared"
        quant_pre_process(model.path, prepared, skip_symbolic_shape=True)
        quantization.quantize_static(
            prepared, to + ".part", Reader(), per_channel=True, quant_format=quantization.QuantFormat.QDQ,
            activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod.MinMax)
        os.replace(to + ".part", to)
        os.remove(prepared)

    def import_module(self):
        import onnxruntime

        self.module = onnxruntime

    def take_inputs(self, model, samples):
        self.inputs = [self.module.OrtValue.ortvalue_from_numpy(s) for s in samples]

    def load(self, path, model, precision, threads):
        options = self.module.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session = self.module.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.bindings = []
        for value in self.inputs:
            binding = self.session.io_binding()
            binding.bind_ortvalue_input(self.session.get_inputs()[0].name, value)
            for output in self.session.get_outputs():
                binding.bind_output(output.name, "cpu")
            self.bindings.append(binding)

    def run(self, i):
        self.binding = self.bindings[i]
        self.session.run_with_iobinding(self.binding)

    def output(self):
        return self.binding.copy_outputs_to_cpu()[0]
