# SPDX-License-Identifier: Apache-2.0
"""Small ONNX models for the cluster's tests: a classifier of pictures, and a detector in YOLOv8's form."""
import numpy
from onnx import TensorProto, helper, numpy_helper

SIZE = 32


def _random(shape, seed, scale=0.3):
    return (numpy.random.RandomState(seed).randn(*shape) * scale).astype(numpy.float32)


def _model(nodes, name, batch, output_shape, constants, size=SIZE):
    dims = ["batch" if batch is None else batch, 3, size, size]
    graph = helper.make_graph(nodes, name, [helper.make_tensor_value_info("image", TensorProto.FLOAT, dims)],
                              [helper.make_tensor_value_info("out", TensorProto.FLOAT, [dims[0]] + output_shape)],
                              [numpy_helper.from_array(value, key) for key, value in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return model.SerializeToString()


def classifier(batch=None, classes=7, seed=0, size=SIZE):
    """[batch, 3, size, size] to probabilities [batch, 7]; an open batch by default."""
    nodes = [helper.make_node("Conv", ["image", "w"], ["conv"], "conv", strides=[2, 2], pads=[1, 1, 1, 1]),
             helper.make_node("Relu", ["conv"], ["act"], "act"),
             helper.make_node("GlobalAveragePool", ["act"], ["mean"], "mean"),
             helper.make_node("Flatten", ["mean"], ["flat"], "flat"),
             helper.make_node("MatMul", ["flat", "d"], ["logits"], "dense"),
             helper.make_node("Softmax", ["logits"], ["out"], "softmax", axis=1)]
    return _model(nodes, "classifier", batch, [classes],
                  {"w": _random((16, 3, 3, 3), seed), "d": _random((16, classes), seed + 1, 3.0)}, size)


def detector(classes=3, seed=5):
    """[1, 3, 32, 32] to columns of box centre, size and class scores, [1, 7, 21]: strides 8, 16 and 32."""
    nodes, heads, constants = [], [], {}
    for stride in (8, 16, 32):
        head = "head%d" % stride
        constants["w" + head] = _random((4 + classes, 3, stride, stride), seed + stride, 0.6 / stride)
        nodes += [helper.make_node("Conv", ["image", "w" + head], [head], head, strides=[stride, stride]),
                  helper.make_node("Reshape", [head, "columns"], [head + "flat"], head + "flat")]
        heads.append(head + "flat")
    constants["columns"] = numpy.array([1, 4 + classes, -1], numpy.int64)
    constants["scale"] = numpy.array([SIZE] * 4 + [1] * classes, numpy.float32).reshape(1, -1, 1)
    nodes += [helper.make_node("Concat", heads, ["all"], "all", axis=2),
              helper.make_node("Sigmoid", ["all"], ["unit"], "unit"),
              helper.make_node("Mul", ["unit", "scale"], ["out"], "scaled")]
    return _model(nodes, "detector", 1, [4 + classes, 21], constants)
