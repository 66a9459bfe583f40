# SPDX-License-Identifier: Apache-2.0
"""OpenVINO: from ONNX; BF16 is what it chooses by itself where the processor has it, INT8 by NNCF."""
import os
import sys

from .model import Skip


class Engine:
    precisions = ("fp32", "bf16", "int8")

    def prepare(self, model, precision, folder, n_calibration):
        if precision != "int8":
            return model.path
        quantised = os.path.join(folder, model.name + ".openvino-int8.xml")
        if os.path.exists(quantised):
            return quantised
        import nncf
        import openvino

        samples = [model.samples([p]) for p in model.pictures()[:n_calibration]]
        kind = nncf.ModelType.TRANSFORMER if model.is_transformer else None
        network = nncf.quantize(openvino.Core().read_model(model.path), nncf.Dataset(samples),
                                subset_size=len(samples), model_type=kind)
        openvino.save_model(network, quantised, compress_to_fp16=False)
        return quantised

    def import_module(self):
        sys.modules["openvino_telemetry"] = None  # then it uses a stand-in that reports nothing
        import openvino

        self.module = openvino

    def take_inputs(self, model, samples):
        self.inputs = [self.module.Tensor(s, shared_memory=True) for s in samples]

    def load(self, path, model, precision, threads):
        core = self.module.Core()
        settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
        if precision == "fp32":  # or it would be BF16
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        compiled = core.compile_model(core.read_model(path), "CPU", settings)
        chosen = str(compiled.get_property("INFERENCE_PRECISION_HINT"))
        if precision == "bf16" and "f32" in chosen:
            raise Skip("chooses FP32 on this processor")
        self.request = compiled.create_infer_request()

    def run(self, i):
        self.request.set_input_tensor(self.inputs[i])
        self.request.infer()

    def output(self):
        return self.request.get_output_tensor(0).data
