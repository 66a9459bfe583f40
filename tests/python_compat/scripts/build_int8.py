# SPDX-License-Identifier: Apache-2.0
"""INT8 in the style of TensorRT 8 scripts: an entropy calibrator over a folder of pictures, then a check of one run."""
import argparse
import glob
import os
import sys

import numpy as np
import pycuda.autoinit
import pycuda.driver as cuda
import tensorrt as trt

import common


class PictureEntropyCalibrator(trt.IInt8EntropyCalibrator2):
    def __init__(self, folder, cache_file, batch_size=4):
        trt.IInt8EntropyCalibrator2.__init__(self)
        self.cache_file = cache_file
        self.batch_size = batch_size
        self.files = sorted(glob.glob(os.path.join(folder, "*.jpg")))
        self.current_index = 0
        self.data = np.zeros((batch_size, 3, 224, 224), dtype=np.float32)
        self.device_input = cuda.mem_alloc(self.data.nbytes)

    def get_batch_size(self):
        return self.batch_size

    def get_batch(self, names):
        if self.current_index + self.batch_size > len(self.files):
            return None
        current_batch = int(self.current_index / self.batch_size)
        print("Calibrating batch {:}, containing {:} images".format(current_batch, self.batch_size))
        for i in range(self.batch_size):
            self.data[i] = common.load_picture(self.files[self.current_index + i])
        cuda.memcpy_htod(self.device_input, self.data.ravel())
        self.current_index += self.batch_size
        return [self.device_input]

    def read_calibration_cache(self):
        if os.path.exists(self.cache_file):
            with open(self.cache_file, "rb") as f:
                return f.read()

    def write_calibration_cache(self, cache):
        with open(self.cache_file, "wb") as f:
            f.write(cache)


def build_int8_engine(model_file, calib):
    with trt.Builder(common.TRT_LOGGER) as builder, \
            builder.create_network(common.EXPLICIT_BATCH) as network, \
            builder.create_builder_config() as config, \
            trt.OnnxParser(network, common.TRT_LOGGER) as parser:
        assert builder.platform_has_fast_int8
        builder.max_batch_size = 1
        config.max_workspace_size = common.GiB(1)
        config.set_flag(trt.BuilderFlag.INT8)
        config.int8_calibrator = calib
        with open(model_file, "rb") as model:
            if not parser.parse(model.read()):
                for error in range(parser.num_errors):
                    print(parser.get_error(error))
                return None
        return builder.build_engine(network, config)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("onnx")
    parser.add_argument("pictures")
    parser.add_argument("engine")
    parser.add_argument("--cache", default="calibration.cache")
    parser.add_argument("--check", help="a picture to run once, and where its outputs go", nargs=2)
    args = parser.parse_args()

    calib = PictureEntropyCalibrator(args.pictures, args.cache)
    with build_int8_engine(args.onnx, calib) as engine, engine.create_execution_context() as context:
        with open(args.engine, "wb") as f:
            f.write(engine.serialize())
        if args.check:
            inputs, outputs, bindings, stream = common.allocate_buffers(engine)
            np.copyto(inputs[0].host, common.load_picture(args.check[0]).ravel())
            [output] = common.do_inference_v2(context, bindings, inputs, outputs, stream)
            np.save(args.check[1], output.reshape(engine.get_binding_shape(1)))
            print("class", np.argmax(output))
    return 0


if __name__ == "__main__":
    sys.exit(main())
