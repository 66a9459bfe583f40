#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes small models in the older forms of their operators, and what ONNX Runtime makes of them.

usage: make_models.py FOLDER  ->  FOLDER/NAME/model.onnx, FOLDER/NAME/input_N.pb, FOLDER/NAME/output_N.pb
"""
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

RANDOM = np.random.default_rng(5)
CASES = []


def floats(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def case(name, opset, nodes, inputs, constants=None, open_dims=False, output="y", ir=None, listed=False):
    """One model. `inputs` and `constants` are dicts of arrays; with open_dims the inputs' sizes are left unknown."""
    CASES.append((name, opset, nodes, inputs, constants or {}, open_dims, output, ir, listed))


def node(op, inputs, outputs=("y",), **attrs):
    return helper.make_node(op, list(inputs), list(outputs), name=f"the_{op}", **attrs)


def unary(name, opset, op, x, **attrs):
    case(name, opset, [node(op, ["x"], **attrs)], {"x": x})


def ints(*values):
    return np.array(values, dtype=np.int64)


X4 = floats(2, 3, 4, 5)

# Attributes that became inputs
unary("squeeze_9", 9, "Squeeze", floats(2, 1, 3, 1), axes=[1, 3])
unary("squeeze_9_all", 9, "Squeeze", floats(2, 1, 3, 1))
unary("unsqueeze_11", 11, "Unsqueeze", floats(2, 3), axes=[0, -1])
for op in ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceMean", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp"):
    unary(f"{op.lower()}_11", 11, op, X4, axes=[1, -1], keepdims=0)
unary("reducemean_17", 17, "ReduceMean", X4, axes=[2, 3])
unary("reducemax_8_all", 8, "ReduceMax", X4)
case("reduceprod_13", 13, [node("ReduceProd", ["x"], axes=[0])], {"x": X4})
case("split_9", 9, [node("Split", ["x"], ("a", "y"), axis=1, split=[1, 2])], {"x": X4})
case("split_11_equal", 11, [node("Split", ["x"], ("a", "b", "y"), axis=1)], {"x": X4})
case("split_13_equal", 13, [node("Split", ["x"], ("a", "y"), axis=2)], {"x": X4})
unary("clip_9", 9, "Clip", X4, min=-0.5, max=0.7)
unary("clip_7_max", 7, "Clip", X4, max=0.25)
unary("clip_10_none", 10, "Clip", X4)
unary("slice_9", 9, "Slice", X4, starts=[1, -3], ends=[3, 100], axes=[1, 3])
unary("slice_7_axes", 7, "Slice", X4, starts=[0, 1], ends=[1, 3])
unary("pad_10", 10, "Pad", X4, pads=[0, 1, 2, 3, 1, 0, 0, 1], value=1.5)
unary("pad_9_zero", 9, "Pad", X4, pads=[0, 0, 1, 1, 0, 0, 1, 1])
unary("pad_9_reflect", 9, "Pad", X4, pads=[0, 0, 1, 1, 0, 0, 1, 1], mode="reflect")
case("topk_9", 9, [node("TopK", ["x"], ("y", "i"), k=2, axis=3)], {"x": X4})

# Training
case("dropout_9", 9, [node("Dropout", ["x"], ("y", "mask"), ratio=0.3)], {"x": X4})
case("dropout_13", 13, [node("Dropout", ["x", "r", "t"])], {"x": X4},
     {"r": np.array(0.3, np.float32), "t": np.array(False)})
BN = {"s": floats(3), "b": floats(3), "m": floats(3), "v": np.abs(floats(3)) + 0.5}
for opset in (7, 9, 14, 15):
    case(f"batchnorm_{opset}", opset, [node("BatchNormalization", ["x", "s", "b", "m", "v"], epsilon=1e-3)], {"x": X4}, BN)
case("groupnorm_18", 18, [node("GroupNormalization", ["x", "s", "b"], num_groups=2)], {"x": floats(2, 6, 3)},
     {"s": floats(2), "b": floats(2)})

# Resizing
case("upsample_7", 7, [node("Upsample", ["x"], scales=[1.0, 1.0, 2.0, 3.0], mode="nearest")], {"x": X4})
case("upsample_9", 9, [node("Upsample", ["x", "s"], mode="linear")], {"x": X4}, {"s": np.array([1, 1, 2, 2], np.float32)})
case("resize_10_nearest", 10, [node("Resize", ["x", "s"])], {"x": X4}, {"s": np.array([1, 1, 1.7, 2.2], np.float32)})
case("resize_10_shrink", 10, [node("Resize", ["x", "s"])], {"x": X4}, {"s": np.array([1, 1, 0.8, 0.6], np.float32)})
case("resize_10_linear", 10, [node("Resize", ["x", "s"], mode="linear")], {"x": X4}, {"s": np.array([1, 1, 2, 1.5], np.float32)})
case("resize_11_sizes", 11, [node("Resize", ["x", "r", "s", "z"], mode="linear", coordinate_transformation_mode="pytorch_half_pixel")],
     {"x": X4}, {"r": np.zeros(0, np.float32), "s": np.zeros(0, np.float32), "z": ints(2, 3, 7, 9)})
case("resize_13", 13, [node("Resize", ["x", "", "s"], mode="cubic")], {"x": X4}, {"s": np.array([1, 1, 2, 2], np.float32)})

# Softmax, before and after it stopped flattening
for op in ("Softmax", "LogSoftmax", "Hardmax"):
    unary(f"{op.lower()}_11", 11, op, X4)
    unary(f"{op.lower()}_11_last", 11, op, X4, axis=-1)
    unary(f"{op.lower()}_13", 13, op, X4, axis=1)
unary("softmax_9_axis0", 9, "Softmax", X4, axis=0)
unary("softmax_7_ones", 7, "Softmax", floats(2, 6, 1, 1), axis=1)
case("softmax_11_open", 11, [node("Softmax", ["x"], axis=2)], {"x": X4}, open_dims=True)

# Others
case("scatter_9", 9, [node("Scatter", ["x", "i", "u"], axis=1)], {"x": floats(2, 5)},
     {"i": ints(1, 3, 0, 4).reshape(2, 2), "u": floats(2, 2)})
case("constant_value", 9, [node("Constant", [], ("c",), value=numpy_helper.from_array(floats(5), "c")), node("Add", ["x", "c"])], {"x": X4})
case("constant_12", 12, [node("Constant", [], ("c",), value_float=2.5), node("Constant", [], ("s",), value_ints=[6, 20]),
                         node("Mul", ["x", "c"], ("m",)), node("Reshape", ["m", "s"])], {"x": X4})
case("constantofshape_9", 9, [node("Shape", ["x"], ("s",)), node("ConstantOfShape", ["s"], ("z",)), node("Add", ["x", "z"])], {"x": X4})
case("gemm_7", 7, [node("Gemm", ["x", "w", "b"], transB=1, alpha=0.5)], {"x": floats(2, 4)}, {"w": floats(3, 4), "b": floats(3)})
case("listed_ir3", 8, [node("Add", ["x", "w"])], {"x": X4}, {"w": floats(5)}, ir=3, listed=True)
case("shape_arithmetic_open", 11,
     [node("Shape", ["x"], ("s",)), node("Gather", ["s", "zero"], ("n",), axis=0), node("Unsqueeze", ["n"], ("n1",), axes=[0]),
      node("Concat", ["n1", "rest"], ("t",), axis=0), node("Reshape", ["x", "t"])],
     {"x": X4}, {"zero": np.array(0, np.int64), "rest": ints(3, -1)}, open_dims=True)


def info(name, array, open_dims):
    dims = [f"{name}_{i}" for i in range(array.ndim)] if open_dims else array.shape
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), dims)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    root = pathlib.Path(sys.argv[1])
    for name, opset, nodes, inputs, constants, open_dims, output, ir, listed in CASES:
        infos = [info(k, v, open_dims) for k, v in inputs.items()]
        infos += [info(k, v, False) for k, v in constants.items() if listed]
        graph = helper.make_graph(nodes, name, infos, [onnx.ValueInfoProto(name=output)],
                                  [numpy_helper.from_array(v, k) for k, v in constants.items()])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir or 6)
        expected = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run([output], inputs)
        model.graph.output[0].CopyFrom(info(output, expected[0], open_dims))
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        for i, (key, array) in enumerate(inputs.items()):
            (folder / f"input_{i}.pb").write_bytes(numpy_helper.from_array(array, key).SerializeToString())
        (folder / "output_0.pb").write_bytes(numpy_helper.from_array(expected[0], output).SerializeToString())
    print(f"{len(CASES)} models in {root}")


if __name__ == "__main__":
    main()
