# SPDX-License-Identifier: Apache-2.0
"""FP16, with an optional DLA core, in the style of TensorRT 8 scripts: from a file, with the errors' list; one run."""
import argparse
import os
import sys

import numpy as np
import pycuda.autoinit
import pycuda.driver as cuda
import tensorrt as trt

import common


def build_engine(onnx_file_path, engine_file_path, dla_core, gpu_fallback):
    builder = trt.Builder(common.TRT_LOGGER)
    network = builder.create_network(common.EXPLICIT_BATCH)
    parser = trt.OnnxParser(network, common.TRT_LOGGER)
    if not os.path.exists(onnx_file_path):
        print("ONNX file {} not found.".format(onnx_file_path))
        return None
    print("Loading ONNX file from path {}...".format(onnx_file_path))
    if not parser.parse_from_file(onnx_file_path):
        print("ERROR: Failed to parse the ONNX file.")
        for error in range(parser.num_errors):
            print(parser.get_error(error))
        return None

    # Reshape input to the batch size that the engine is for
    shape = list(network.get_input(0).shape)
    shape[0] = 1
    network.get_input(0).shape = shape

    config = builder.create_builder_config()
    config.max_workspace_size = 1 << 28
    if builder.platform_has_fast_fp16:
        config.set_flag(trt.BuilderFlag.FP16)
    if dla_core >= 0:
        config.default_device_type = trt.DeviceType.DLA
        config.DLA_core = dla_core
        config.set_flag(trt.BuilderFlag.STRICT_TYPES)
        if gpu_fallback:
            config.set_flag(trt.BuilderFlag.GPU_FALLBACK)
        print("Using DLA core %d of %d." % (dla_core, builder.num_DLA_cores))
    print("Building an engine of %d layers; this may take a while..." % network.num_layers)
    engine = builder.build_engine(network, config)
    if engine is None:
        return None
    print("Completed creating engine")
    with open(engine_file_path, "wb") as f:
        f.write(engine.serialize())
    return engine


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("onnx")
    parser.add_argument("engine")
    parser.add_argument("--dla_core", type=int, default=-1)
    parser.add_argument("--gpu_fallback", action="store_true")
    parser.add_argument("--check", help="a picture to run once, and where its outputs go", nargs=2)
    args = parser.parse_args()

    engine = build_engine(args.onnx, args.engine, args.dla_core, args.gpu_fallback)
    if engine is None:
        print("Failed to build the engine!")
        return 1
    if args.check:
        context = engine.create_execution_context()
        image = common.load_picture(args.check[0])[np.newaxis]
        output = np.empty(tuple(engine.get_binding_shape(1)), dtype=trt.nptype(engine.get_binding_dtype(1)))
        d_input = cuda.mem_alloc(1 * image.nbytes)
        d_output = cuda.mem_alloc(1 * output.nbytes)
        cuda.memcpy_htod(d_input, image)
        context.execute_v2([int(d_input), int(d_output)])
        cuda.memcpy_dtoh(output, d_output)
        np.save(args.check[1], output)
        print("class", output.argmax())
        del context
    del engine
    return 0


if __name__ == "__main__":
    sys.exit(main())
