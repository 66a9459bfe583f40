# SPDX-License-Identifier: Apache-2.0
"""The networks whose INT8 accuracy is measured: how their pictures are prepared and their outputs read, once as options
of ferry and once in Python for ONNX Runtime."""
import math

import numpy
from PIL import Image


class Network:
    """mean and std are in the order in which the network gets the channels."""

    def __init__(self, kind, file, size, fit, options, bgr=False, mean=(0, 0, 0), std=(1, 1, 1), shorter=0, offset=0,
                 decode=None):
        self.kind, self.file, self.size, self.fit, self.options = kind, file, size, fit, options.split()
        self.bgr, self.mean, self.std, self.shorter, self.offset = bgr, mean, std, shorter, offset
        self.decode = decode
        self.name = file[:-len(".onnx")]

    def prepare(self, path):
        """The input tensor, and what leads back: (scale x, scale y, x, y) with source = (input - (x, y)) / scale."""
        picture = Image.open(path).convert("RGB")
        width = height = self.size
        scale = min(width / picture.width, height / picture.height)
        if self.fit == "crop":
            scale = self.shorter / min(picture.width, picture.height)
        w, h = width, height
        if self.fit != "stretch":
            w, h = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        x, y = (width - w) // 2, (height - h) // 2
        resized = picture.resize((w, h), Image.BILINEAR)
        if self.fit == "crop":
            x, y = -((w - width) // 2), -((h - height) // 2)
            canvas = resized.crop((-x, -y, width - x, height - y))
        else:
            if self.fit == "topleft":
                x = y = 0
            pad = 114 if self.fit == "topleft" else 0
            canvas = Image.new("RGB", (width, height), (pad, pad, pad))
            canvas.paste(resized, (x, y))
        pixels = numpy.asarray(canvas, numpy.float32)
        if self.bgr:
            pixels = pixels[:, :, ::-1]
        pixels = (pixels - numpy.float32(self.mean)) / numpy.float32(self.std)
        tensor = numpy.ascontiguousarray(pixels.transpose(2, 0, 1)[None], numpy.float32)
        return tensor, (w / picture.width, h / picture.height, x, y), picture.size


def sigmoid(x):
    return 1 / (1 + numpy.exp(-x))


def cells(size):
    """Column and row of each cell, row by row."""
    rows, columns = numpy.divmod(numpy.arange(size * size), size)
    return columns.astype(numpy.float64), rows.astype(numpy.float64)


def corners(cx, cy, w, h):
    return numpy.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], 1)


def decode_yolox(outputs, size):
    rows, at, boxes = outputs[0][0].astype(numpy.float64), 0, []
    for stride in (8, 16, 32):
        x, y = cells(size // stride)
        r = rows[at:at + len(x)]
        at += len(x)
        boxes.append(corners((r[:, 0] + x) * stride, (r[:, 1] + y) * stride, numpy.exp(r[:, 2]) * stride,
                             numpy.exp(r[:, 3]) * stride))
    return numpy.concatenate(boxes), rows[:, 4:5] * rows[:, 5:]


def decode_nanodet(outputs, size):
    boxes, scores = [], []
    for output in sorted(outputs, key=lambda o: -o.shape[1]):  # both outputs of a stride are as long
        data = output[0].astype(numpy.float64)
        if data.shape[1] == 80:
            scores.append(data)
            continue
        side = math.isqrt(len(data))
        stride = size // side
        x, y = (stride * (v + 0.5) - 0.5 for v in cells(side))
        bins = data.reshape(len(data), 4, 8)
        bins = numpy.exp(bins - bins.max(2, keepdims=True))
        left, top, right, bottom = ((bins / bins.sum(2, keepdims=True)) @ numpy.arange(8) * stride).T
        boxes.append(numpy.stack([x - left, y - top, x + right, y + bottom], 1))
    return numpy.concatenate(boxes), numpy.concatenate(scores)


def decode_fastestdet(outputs, size):
    data = outputs[0][0].astype(numpy.float64)
    side = data.shape[1]
    data = data.reshape(len(data), -1)
    x, y = cells(side)
    unit = size / side
    boxes = corners((x + numpy.tanh(data[1])) * unit, (y + numpy.tanh(data[2])) * unit, sigmoid(data[3]) * size,
                    sigmoid(data[4]) * size)
    return boxes, (data[0] ** 0.6 * data[5:] ** 0.4).T


CLASSIFY, DETECT = "classify", "detect"
TF = "--preprocess tf --color rgb --resize crop --task classify"
NETWORKS = [
    Network(CLASSIFY, "mobilenet_v1_0.25_224.onnx", 224, "crop", TF + " --size 224x224 --resize-shorter 256",
            mean=(127.5,) * 3, std=(127.5,) * 3, shorter=256),
    Network(CLASSIFY, "mobilenet_v1_0.75_192_fp32.onnx", 192, "crop",
            TF + " --size 192x192 --resize-shorter 220 --class-offset 1", mean=(127.5,) * 3, std=(127.5,) * 3,
            shorter=220, offset=1),
    Network(CLASSIFY, "squeezenet1.1_fp32.onnx", 224, "crop",
            "--color bgr --mean 123,117,104 --std 1,1,1 --resize crop --size 224x224 --resize-shorter 256"
            " --task classify", bgr=True, mean=(104, 117, 123), shorter=256),
    Network(DETECT, "yolox_nano.onnx", 416, "topleft", "--preprocess yolox --task detect --decoder yolox", bgr=True,
            decode=decode_yolox),
    Network(DETECT, "nanodet_m_416.onnx", 416, "center", "--preprocess nanodet --task detect --decoder nanodet",
            bgr=True, mean=(103.53, 116.28, 123.675), std=(57.375, 57.12, 58.395), decode=decode_nanodet),
    Network(DETECT, "fastestdet_352.onnx", 352, "stretch",
            "--size 352x352 --resize stretch --color bgr --mean 0,0,0 --std 255,255,255 --task detect"
            " --decoder fastestdet", bgr=True, std=(255,) * 3, decode=decode_fastestdet),
]
