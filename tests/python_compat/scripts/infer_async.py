# SPDX-License-Identifier: Apache-2.0
"""Asynchronous runs with pinned memory and drawn labels, in the style of TensorRT 8 scripts for a Jetson."""
import argparse
import os
import sys
import threading
import time

import numpy as np
import pycuda.driver as cuda
import tensorrt as trt
from PIL import Image, ImageDraw, ImageFont

import common


class TrtClassifier(object):
    """Owns a CUDA context of its own, which is pushed while the thread works with it."""

    def __init__(self, engine_path):
        self.cuda_ctx = cuda.Device(0).make_context()
        with open(engine_path, "rb") as f, trt.Runtime(common.TRT_LOGGER) as runtime:
            self.engine = runtime.deserialize_cuda_engine(f.read())
        self.context = self.engine.create_execution_context()
        self.inputs, self.outputs, self.bindings, self.stream = common.allocate_buffers(self.engine)
        self.start, self.end = cuda.Event(), cuda.Event()
        self.cuda_ctx.pop()

    def infer(self, image):
        self.cuda_ctx.push()
        try:
            np.copyto(self.inputs[0].host, image.ravel())
            self.start.record(self.stream)
            result = common.do_inference_v2(self.context, self.bindings, self.inputs, self.outputs, self.stream)
            self.end.record(self.stream)
            self.end.synchronize()
            return result[0].copy(), self.start.time_till(self.end)
        finally:
            self.cuda_ctx.pop()


def draw_label(path, text, target):
    image = Image.open(path).convert("RGB")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default()
    width, height = draw.textsize(text, font=font)
    draw.rectangle([0, 0, width + 8, height + 8], fill=(255, 255, 0))
    draw.text((4, 4), text, fill=(0, 0, 0), font=font)
    image.save(target)


class Worker(threading.Thread):
    def __init__(self, engine_path, files, labels, out):
        threading.Thread.__init__(self)
        self.engine_path, self.files, self.labels, self.out = engine_path, files, labels, out
        self.done = []

    def run(self):
        classifier = TrtClassifier(self.engine_path)
        for path in self.files:
            tic = time.clock()
            scores, ms = classifier.infer(common.load_picture(path))
            best = int(scores.argmax())
            name = os.path.splitext(os.path.basename(path))[0]
            np.save(os.path.join(self.out, name + ".npy"), scores)
            draw_label(path, self.labels[best], os.path.join(self.out, name + ".png"))
            self.done.append("%s: %s (%.2f ms of %.2f)" % (name, self.labels[best], ms, 1e3 * (time.clock() - tic)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("engine")
    parser.add_argument("labels")
    parser.add_argument("out")
    parser.add_argument("pictures", nargs="+")
    args = parser.parse_args()

    cuda.init()
    labels = [line.strip() for line in open(args.labels)]
    workers = [Worker(args.engine, args.pictures[i::2], labels, args.out) for i in range(2)]
    [w.start() for w in workers]
    [w.join() for w in workers]
    for line in sum([w.done for w in workers], []):
        print(line)
    return 0 if sum(len(w.done) for w in workers) == len(args.pictures) else 1


if __name__ == "__main__":
    sys.exit(main())
