# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime's static quantiser on the same pictures: calibrates, quantises, runs, and scores in Python."""
import importlib
import os
import unittest.mock

import numpy
import onnx
import onnxruntime
from onnx import version_converter
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

# The package has a function of the same name, which hides the module from an import statement.
quantize_module = importlib.import_module("onnxruntime.quantization.quantize")

# The method and its options. With its 128 bins, Entropy has one candidate, the full range: it gets 2048.
METHODS = {"MinMax": (CalibrationMethod.MinMax, {}),
           "Entropy": (CalibrationMethod.Entropy, {"num_bins": 2048, "num_quantized_bins": 128}),
           "Percentile": (CalibrationMethod.Percentile, {"percentile": 99.99})}


def session(path, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def overlap(box, others):
    """Intersection over union of one box with many."""
    low, high = numpy.maximum(box[:2], others[:, :2]), numpy.minimum(box[2:], others[:, 2:])
    both = numpy.prod(numpy.maximum(high - low, 0), 1)
    areas = numpy.prod(others[:, 2:] - others[:, :2], 1)
    return both / numpy.maximum(numpy.prod(box[2:] - box[:2]) + areas - both, 1e-12)


def suppress(boxes, scores, threshold=0.01, iou=0.6, most=100):
    """(class, score, box) of what is left after suppression class by class, the best first."""
    kept = []
    for c in range(scores.shape[1]):
        order = numpy.argsort(-scores[:, c], kind="stable")
        order = order[scores[order, c] >= threshold]
        while len(order):
            kept.append((c, scores[order[0], c], boxes[order[0]]))
            order = order[1:][overlap(boxes[order[0]], boxes[order[1:]]) <= iou]
    return sorted(kept, key=lambda k: -k[1])[:most]


def average_precision(found, truth):
    """found: (score, picture, box) of one class; truth: boxes by picture. 101 points at IoU 0.5, as COCO has it."""
    total = sum(len(boxes) for boxes in truth.values())
    taken = {picture: numpy.zeros(len(boxes), bool) for picture, boxes in truth.items()}
    hits = []
    for _, picture, box in sorted(found, key=lambda f: -f[0]):
        best, at = 0.5, -1
        if picture in truth:
            ious = overlap(box, truth[picture])
            for i in numpy.flatnonzero(~taken[picture]):
                if ious[i] >= best:
                    best, at = ious[i], i
        if at >= 0:
            taken[picture][at] = True
        hits.append(at >= 0)
    hits = numpy.array(hits, bool)
    recall = numpy.cumsum(hits) / total
    precision = numpy.cumsum(hits) / numpy.maximum(numpy.arange(len(hits)) + 1, 1)
    for i in range(len(precision) - 1, 0, -1):
        precision[i - 1] = max(precision[i - 1], precision[i])
    at = numpy.searchsorted(recall, numpy.linspace(0, 1, 101), side="left")
    return numpy.mean([precision[i] if i < len(precision) else 0.0 for i in at])


def read_truth(label_file, size):
    rows = numpy.loadtxt(label_file, ndmin=2) if os.path.getsize(label_file) else numpy.zeros((0, 5))
    cx, cy, w, h = rows[:, 1] * size[0], rows[:, 2] * size[1], rows[:, 3] * size[0], rows[:, 4] * size[1]
    return rows[:, 0].astype(int), numpy.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], 1)


def map50(network, run, pictures, labels):
    found, truth = {}, {}
    for n, path in enumerate(pictures):
        tensor, (sx, sy, x, y), size = network.prepare(path)
        boxes, scores = network.decode(run.run(None, {run.get_inputs()[0].name: tensor}), network.size)
        boxes = (boxes - [x, y, x, y]) / [sx, sy, sx, sy]
        boxes = numpy.clip(boxes, 0, [size[0], size[1]] * 2)
        for c, score, box in suppress(boxes, scores):
            found.setdefault(c, []).append((score, n, box))
        stem = os.path.splitext(os.path.basename(path))[0]
        classes, true_boxes = read_truth(os.path.join(labels, stem + ".txt"), size)
        for c in set(classes):
            truth.setdefault(c, {})[n] = true_boxes[classes == c]
    return float(numpy.mean([average_precision(found.get(c, []), boxes) for c, boxes in truth.items()]))


def top1(network, run, pictures, classes):
    hits = 0
    for path, wanted in zip(pictures, classes):
        output = run.run(None, {run.get_inputs()[0].name: network.prepare(path)[0]})[0].reshape(-1)
        hits += int(output[network.offset:].argmax()) == wanted
    return hits / len(pictures)


class Reader(CalibrationDataReader):
    def __init__(self, network, name, pictures):
        self.tensors = ({name: network.prepare(path)[0]} for path in pictures)

    def get_next(self):
        return next(self.tensors, None)


def quantise(network, source, pictures, method, per_channel, work):
    """INT8 Q/DQ model, symmetric: activations per tensor, weights per tensor or per output channel."""
    prepared = os.path.join(work, network.name + ".prepared.onnx")
    if not os.path.exists(prepared):
        model = onnx.load(source)
        opset = [o.version for o in model.opset_import if o.domain in ("", "ai.onnx")][0]
        if opset < 13:  # DequantizeLinear along an axis
            constants = {t.name for t in model.graph.initializer}
            inputs = [i for i in model.graph.input if i.name not in constants]
            del model.graph.input[:]
            model.graph.input.extend(inputs)
            model.ir_version = max(model.ir_version, 7)
            model = version_converter.convert_version(model, 13)
        onnx.save(model, prepared + ".13")
        quant_pre_process(prepared + ".13", prepared, skip_symbolic_shape=True)
        os.remove(prepared + ".13")
    out = os.path.join(work, "%s.%s.%d.onnx" % (network.name, method, per_channel))
    calibrate, options = METHODS[method]
    make = quantize_module.create_calibrator  # quantize_static does not pass the number of bins on

    def create(*words, extra_options=None, **others):
        return make(*words, extra_options=dict(extra_options or {}, **options), **others)

    name = session(prepared, 1).get_inputs()[0].name
    with unittest.mock.patch.object(quantize_module, "create_calibrator", create):
        quantize_static(prepared, out, Reader(network, name, pictures), quant_format=QuantFormat.QDQ,
                        per_channel=per_channel, activation_type=QuantType.QInt8, weight_type=QuantType.QInt8,
                        calibrate_method=calibrate,
                        extra_options={"ActivationSymmetric": True, "WeightSymmetric": True})
    return out
