# SPDX-License-Identifier: Apache-2.0
"""Makers of random nodes, one a family of operators, for random_graphs.py. A maker may give up and add nothing."""
import numpy
from onnx import TensorProto

from .random_moves import cut, join, resize, top, view
from .random_shapes import MOVED, axes_node, broadcast_shape, fits, window

SPATIAL = (3, 4, 5)


def conv(g):
    x = g.operand(rank=SPATIAL)
    if x is None:
        return
    channels = x.shape[1]
    group = g.pick([d for d in range(1, channels + 1) if channels % d == 0] + [channels] * 2 + [1] * 3)
    out = group * int(g.random.integers(1, 4)) if g.chance(0.7) else int(group * g.pick([4, 8]))
    found = window(g, x.rank - 2)
    w = g.weights(out, channels // group, *found["kernel_shape"])
    y = g.node("Conv", [x, w] + ([g.weights(out)] if g.chance(0.6) else []), group=group, **found)
    after_linear(g, y)


def after_linear(g, y):
    """What optimisers like to fuse: normalisation, activation, a residual."""
    if y is not None and y.rank >= 2 and g.chance(0.3):
        y = batch_norm(g, y)
    if y is not None and g.chance(0.25):
        same = [v for v in g.values if v.shape == y.shape and v is not y and v.array.dtype == numpy.float32]
        if same:
            y = g.node("Add", g.pick([[y, same[-1]], [same[-1], y]]))
    if y is not None and g.chance(0.5):
        activation(g, y)


def conv_transpose(g):
    x = g.operand(rank=SPATIAL)
    if x is None:
        return
    channels = x.shape[1]
    group = g.pick([d for d in range(1, channels + 1) if channels % d == 0] + [1] * 3)
    per_group = int(g.random.integers(1, 4))
    found = window(g, x.rank - 2)
    if found.get("auto_pad", "VALID") != "VALID" and any(s > 1 for s in found.get("strides", [])):
        del found["auto_pad"]  # ONNX Runtime's output is smaller than ONNX's where a stride exceeds its window
    if "strides" in found and "auto_pad" not in found and g.chance(0.3):
        found["output_padding"] = [int(g.random.integers(0, s)) for s in found["strides"]]
    w = g.weights(channels, per_group, *found["kernel_shape"])
    bias = [g.weights(per_group * group)] if g.chance(0.5) else []
    y = g.node("ConvTranspose", [x, w] + bias, group=group, **found)
    after_linear(g, y)


def batch_norm(g, x=None):
    x = x or g.operand(rank=(2, 3, 4, 5))
    if x is None:
        return None
    c = x.shape[1]
    parts = [g.random.uniform(0.5, 1.5, c), g.random.standard_normal(c), g.random.standard_normal(c),
             g.random.uniform(0.5, 2, c)]
    return g.node("BatchNormalization", [x] + [g.constant(p.astype(numpy.float32)) for p in parts], epsilon=1e-3)


def pool(g):
    x = g.operand(rank=SPATIAL)
    if x is None:
        return
    op = g.pick(["MaxPool", "AveragePool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "LpPool"])
    if op.startswith("Global"):
        g.node(op, [x])
        return
    # AveragePool learnt of dilations in opset 19, of ceil_mode in 10, LpPool in 18.
    newest = {"MaxPool": 10, "AveragePool": 19, "LpPool": 18}[op]
    found = window(g, x.rank - 2, dilations=g.opset >= newest)
    if op == "AveragePool" and g.chance(0.5):
        found["count_include_pad"] = 1
    if g.opset >= {"MaxPool": 10, "AveragePool": 10, "LpPool": 18}[op] and g.chance(0.4):
        found["ceil_mode"] = 1
    if not found.get("ceil_mode") and not fits(found, x.shape[2:]):
        return
    if op == "LpPool":
        found["p"] = g.pick([1, 2, 3])
    g.node(op, [x], exact=op == "MaxPool", **found)


def activation(g, x=None):
    x = x or g.operand()
    if x is None:
        return
    op = g.pick(["Relu", "Relu", "LeakyRelu", "Elu", "Selu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Softplus",
                 "Softsign", "Clip", "PRelu", "Celu", "ThresholdedRelu", "Mish", "Gelu", "Silu", "GeluParts",
                 "HardSwishParts"])
    if op == "Clip":
        bounds = [g.constant(numpy.float32(g.pick([0, -1]))), g.constant(numpy.float32(g.pick([6, 1])))]
        if g.opset >= 11:
            g.node(op, [x] + (bounds if g.chance(0.7) else g.pick([bounds[:1], [None, bounds[1]]])))
        else:
            g.node(op, [x], min=-0.5, max=1.0)
    elif op == "PRelu":
        slopes = [(1,)] + ([(x.shape[1],) + (1,) * (x.rank - 2)] if x.rank > 1 else [])
        g.node(op, [x, g.constant(g.random.uniform(-0.5, 1, g.pick(slopes)).astype(numpy.float32))])
    elif op == "Silu":
        s = g.node("Sigmoid", [x])
        if s is not None:
            g.node("Mul", g.pick([[x, s], [s, x]]))
    elif op == "GeluParts":
        half = g.constant(numpy.float32(0.5))
        steps = [("Div", g.constant(numpy.float32(2 ** 0.5))), ("Erf", None), ("Add", g.constant(numpy.float32(1)))]
        y = x
        for step, other in steps:
            y = y if y is None else g.node(step, [y] + ([other] if other else []))
        y = y and g.node("Mul", [x, y])
        y = y and g.node("Mul", [y, half])
    elif op == "HardSwishParts":
        y = g.node("HardSigmoid", [x], alpha=1 / 6, beta=0.5)
        if y is not None:
            g.node("Mul", [x, y])
    elif {"Celu": 12, "Mish": 18, "Gelu": 20, "HardSwish": 14}.get(op, 0) <= g.opset:
        wide = {"LeakyRelu": {"alpha": 0.2}, "Elu": {"alpha": 0.7}, "HardSigmoid": {"alpha": 0.3, "beta": 0.4},
                "Celu": {"alpha": 1.5}, "ThresholdedRelu": {"alpha": 0.3}}
        g.node(op, [x], **(wide.get(op, {}) if g.chance(0.5) and op != "ThresholdedRelu" else {}))


def unary(g):
    op = g.pick(["Abs", "Neg", "Exp", "Sqrt", "Erf", "Reciprocal", "Sin", "Cos", "Log", "Floor", "Ceil", "Round",
                 "Sign", "Atan", "Tanh", "Identity"])
    x = g.operand(exact=op in ("Floor", "Ceil", "Round", "Sign"))
    if x is None:
        return
    if op in ("Sqrt", "Log", "Reciprocal"):
        x = g.node("Abs", [x], **MOVED)
        x = x and g.node("Add", [x, g.constant(numpy.float32(0.5))])
    if x is not None:
        g.node(op, [x], exact=op in ("Abs", "Neg", "Floor", "Ceil", "Round", "Sign", "Identity"))


def second(g, x):
    """Another operand for an elementwise operator: a constant, or a value of a shape that may fit."""
    if g.chance(0.5):
        return g.constant(g.random.standard_normal(broadcast_shape(g, x.shape)).astype(numpy.float32))
    return g.operand()


def binary(g):
    x = g.operand()
    if x is None:
        return
    op = g.pick(["Add", "Sub", "Mul", "Add", "Mul", "Max", "Min", "Sum", "Mean", "Div", "Pow"])
    y = second(g, x)
    if op == "Div" or op == "Pow":
        divisors = g.random.uniform(0.5, 2, broadcast_shape(g, x.shape)).astype(numpy.float32)
        y = g.constant(divisors if op == "Div" else numpy.float32(g.pick([2, 3])))
        g.node(op, [x, y])
    elif op in ("Max", "Min", "Sum", "Mean") and g.chance(0.4):
        g.node(op, [x, y, second(g, x)])
    else:
        g.node(op, g.pick([[x, y], [y, x]]))


def compare(g):
    x = g.operand(exact=True)
    if x is None:
        return
    y = g.constant(g.random.standard_normal(broadcast_shape(g, x.shape)).astype(numpy.float32))
    ops = ["Greater", "Less"] + (["GreaterOrEqual", "LessOrEqual"] if g.opset >= 12 else [])
    mask = g.node(g.pick(ops), [x, y], **MOVED)
    if mask is not None and g.chance(0.3):
        mask = g.node("Not", [mask], **MOVED)
    if mask is not None and g.chance(0.3):
        other = g.operand(dtype=numpy.bool_)
        mask = g.node(g.pick(["And", "Or", "Xor"]), [mask, other], **MOVED)
    if mask is not None and g.chance(0.7):
        g.node("Where", [mask, x, second(g, x)])
    elif mask is not None:
        g.node("Cast", [mask], to=g.pick([TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64]), **MOVED)


def dense(g):
    x = g.operand()
    if x is None or x.rank < 1:
        return
    if x.rank == 2 and g.chance(0.5):
        n, turned = int(g.random.integers(1, 20)), g.chance(0.5)
        w = g.weights(*((n, x.shape[1]) if turned else (x.shape[1], n)))
        c = [g.constant(g.random.standard_normal(g.pick([(n,), (1, n), (x.shape[0], 1), (1,)])).astype(numpy.float32))]
        found = {"transB": int(turned), "alpha": g.pick([1.0, 0.5]), "beta": g.pick([1.0, 2.0])}
        after_linear(g, g.node("Gemm", [x, w] + (c if g.chance(0.7) or g.opset < 11 else []), **found))
    elif g.chance(0.6):
        n = int(g.random.integers(1, 20))
        shape = (x.shape[-1], n) if g.chance(0.8) or x.rank < 3 else x.shape[:-2] + (x.shape[-1], n)
        y = g.node("MatMul", [x, g.weights(*shape)])
        if y is not None and g.chance(0.6):
            y = g.node("Add", [y, g.weights(n)])
        after_linear(g, y)
    elif x.rank >= 2:
        turn = list(range(x.rank))
        turn[-1], turn[-2] = turn[-2], turn[-1]
        t = g.node("Transpose", [x], perm=turn, **MOVED)
        t = t and g.node("MatMul", g.pick([[x, t], [t, x]]))
        if t is not None and g.chance(0.5):
            g.node("Softmax", [t], axis=t.rank - 1)


def some_axes(g, rank):
    axes = sorted({int(g.random.integers(rank)) for _ in range(int(g.random.integers(1, rank + 1)))})
    return [a - rank for a in axes] if g.opset >= 11 and g.chance(0.3) else axes


def reduce(g):
    x = g.operand()
    if x is None or x.rank < 1:
        return
    op = g.pick(["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare",
                 "ReduceLogSumExp", "ReduceProd", "ArgMax", "ArgMin", "CumSum"])
    if op in ("ArgMax", "ArgMin"):
        if x.exact:
            g.node(op, [x], axis=int(g.random.integers(x.rank)), keepdims=int(g.chance(0.5)), **MOVED)
    elif op == "CumSum":
        if g.opset >= 11:
            g.node(op, [x, g.constant(numpy.int64(g.random.integers(x.rank)))], exclusive=int(g.chance(0.3)),
                   reverse=int(g.chance(0.3)))
    elif g.chance(0.1):
        g.node(op, [x], keepdims=int(g.chance(0.5)))
    else:
        axes_node(g, op, x, some_axes(g, x.rank), 13 if op == "ReduceSum" else 18, keepdims=int(g.chance(0.5)))


def softmax(g):
    x = g.operand()
    if x is not None and x.rank >= 1:
        g.node(g.pick(["Softmax", "Softmax", "LogSoftmax"]), [x], axis=int(g.random.integers(x.rank)))


def normalise(g):
    x = g.operand(rank=(2, 3, 4, 5))
    if x is None:
        return
    op = g.pick(["BatchNormalization", "InstanceNormalization", "LayerNormalization", "GroupNormalization", "LRN",
                 "LayerParts", "LpNormalization", "MeanVarianceNormalization"])
    uniform = lambda *s: g.constant(g.random.uniform(0.5, 1.5, s).astype(numpy.float32))  # noqa: E731
    if op == "BatchNormalization":
        batch_norm(g, x)
    elif op == "InstanceNormalization" and x.rank >= 3 and numpy.prod(x.shape[2:]) > 3:
        g.node(op, [x, uniform(x.shape[1]), uniform(x.shape[1])])
    elif op == "LayerNormalization" and g.opset >= 17 and x.shape[-1] > 3:
        g.node(op, [x, uniform(x.shape[-1])] + ([uniform(x.shape[-1])] if g.chance(0.7) else []), axis=-1)
    elif op == "GroupNormalization" and g.opset >= 21 and x.rank >= 3 and numpy.prod(x.shape[2:]) > 3:
        groups = g.pick([d for d in range(1, x.shape[1] + 1) if x.shape[1] % d == 0])
        g.node(op, [x, uniform(x.shape[1]), uniform(x.shape[1])], num_groups=groups)
    elif op == "LRN" and x.rank == 4:
        g.node(op, [x], size=g.pick([1, 3, 5]), alpha=0.01, beta=0.75, bias=1.0)
    elif op == "LpNormalization" and x.shape[-1] > 1:
        g.node(op, [x], p=g.pick([1, 2]), axis=-1)
    elif op == "LayerParts" and x.shape[-1] > 3:
        mean = axes_node(g, "ReduceMean", x, [-1] if g.opset >= 11 else [x.rank - 1], 18)
        d = mean and g.node("Sub", [x, mean])
        square = d and g.node("Pow", [d, g.constant(numpy.float32(2))])
        var = square and axes_node(g, "ReduceMean", square, [-1] if g.opset >= 11 else [x.rank - 1], 18)
        var = var and g.node("Add", [var, g.constant(numpy.float32(1e-5))])
        root = var and g.node("Sqrt", [var])
        y = root and g.node("Div", [d, root])
        y = y and g.node("Mul", [y, uniform(x.shape[-1])])
        y = y and g.node("Add", [y, uniform(x.shape[-1])])


MAKERS = [conv, conv, conv, conv_transpose, batch_norm, pool, pool, activation, activation, unary, binary, binary,
          compare, dense, dense, reduce, softmax, normalise, view, view, join, cut, cut, resize, top]
