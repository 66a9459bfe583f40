# SPDX-License-Identifier: Apache-2.0
"""Makers of random nodes that move elements or take some of them: views, joins, cuts, resizing, TopK."""
import numpy

from .random_shapes import MOVED, axes_node


def view(g):
    x = g.operand(dtype=g.pick([numpy.float32] * 6 + [numpy.int64, numpy.bool_]))
    if x is None:
        return
    op = g.pick(["Reshape", "Flatten", "Transpose", "Transpose", "Unsqueeze", "Squeeze", "Expand", "Tile"])
    if op == "Reshape":
        dims = list(x.shape)
        if g.chance(0.5) and len(dims) > 1:
            i = int(g.random.integers(len(dims) - 1))
            dims[i:i + 2] = [dims[i] * dims[i + 1]]
        elif dims:
            i = int(g.random.integers(len(dims)))
            d = g.pick([d for d in range(1, dims[i] + 1) if dims[i] % d == 0])
            dims[i:i + 1] = [d, dims[i] // d]
        if g.chance(0.4) and dims:
            dims[int(g.random.integers(len(dims)))] = -1
        g.node(op, [x, g.ints(dims)], **MOVED)
    elif op == "Flatten":
        g.node(op, [x], axis=int(g.random.integers(x.rank + 1)), **MOVED)
    elif op == "Transpose" and x.rank:
        g.node(op, [x], perm=[int(i) for i in g.random.permutation(x.rank)], **MOVED)
    elif op == "Unsqueeze":
        axes_node(g, op, x, [int(g.random.integers(x.rank + 1))], 13, **MOVED)
    elif op == "Squeeze" and 1 in x.shape:
        axes_node(g, op, x, [x.shape.index(1)], 13, **MOVED)
    elif op == "Expand":
        g.node(op, [x, g.ints([d if d > 1 else g.pick([1, 3]) for d in x.shape])], **MOVED)
    elif op == "Tile":
        g.node(op, [x, g.ints([g.pick([1, 1, 2]) for _ in x.shape])], **MOVED)


def join(g):
    x = g.operand()
    if x is None or x.rank < 1:
        return
    axis = int(g.random.integers(x.rank))
    if g.chance(0.6):
        fits = [v for v in g.values if v.array.dtype == numpy.float32 and v.rank == x.rank and
                all(a == b for i, (a, b) in enumerate(zip(v.shape, x.shape)) if i != axis)]
        parts = [x] + [g.pick(fits) for _ in range(int(g.random.integers(1, 3)))]
        if g.chance(0.3):
            parts.append(g.constant(g.random.standard_normal(x.shape).astype(numpy.float32)))
        g.node("Concat", parts, axis=axis - (x.rank if g.opset >= 11 and g.chance(0.3) else 0), **MOVED)
    elif x.shape[axis] > 1:
        first = int(g.random.integers(1, x.shape[axis]))
        sizes = [first, x.shape[axis] - first]
        if g.opset >= 13:
            g.node("Split", [x, g.ints(sizes)], outputs=2, axis=axis, **MOVED)
        else:
            g.node("Split", [x], outputs=2, axis=axis, split=sizes, **MOVED)


def cut(g):
    x = g.operand()
    if x is None or x.rank < 1 or g.opset < 11:
        return
    op = g.pick(["Slice", "Slice", "Pad", "Gather", "GatherElements", "DepthToSpace", "SpaceToDepth", "ScatterElements",
                 "Trilu"])
    axis = int(g.random.integers(x.rank))
    size = x.shape[axis]
    if op == "Slice":
        start, step = int(g.random.integers(-size, size)), g.pick([1, 1, 2, -1, -2])
        end = g.pick([2 ** 31, size, -1]) if step > 0 else -2 ** 31
        g.node(op, [x] + [g.ints([v]) for v in (start, end, axis, step)], **MOVED)
    elif op == "Pad":
        pads = [int(g.random.integers(-1 if d > 2 else 0, 3)) for d in x.shape * 2]
        mode = g.pick(["constant", "constant", "reflect", "edge"])
        value = [g.constant(numpy.float32(g.pick([0, 1.5])))] if mode == "constant" and g.chance(0.6) else []
        g.node(op, [x, g.ints(pads)] + value, mode=mode, **MOVED)
    elif op == "Gather":
        shape = g.pick([(), (1,), (3,), (2, 2)])
        g.node(op, [x, g.constant(g.random.integers(-size, size, shape, numpy.int64))], axis=axis, **MOVED)
    elif op in ("GatherElements", "ScatterElements"):
        shape = tuple(int(g.random.integers(1, d + 1)) if i != axis else d for i, d in enumerate(x.shape))
        places = numpy.argsort(g.random.random(shape), axis=axis).astype(numpy.int64)
        more = [g.constant(g.random.standard_normal(shape).astype(numpy.float32))] if op[0] == "S" else []
        g.node(op, [x, g.constant(places)] + more, axis=axis, **MOVED)
    elif op == "Trilu" and x.rank >= 2 and g.opset >= 14:
        g.node(op, [x, g.constant(numpy.int64(g.pick([-1, 0, 1])))], upper=int(g.chance(0.5)), **MOVED)
    elif op == "SpaceToDepth" and x.rank == 4:
        g.node(op, [x], blocksize=2, **MOVED)
    elif op == "DepthToSpace" and x.rank == 4:
        g.node(op, [x], blocksize=2, mode=g.pick(["DCR", "CRD"]), **MOVED)


def resize(g):
    x = g.operand(rank=(3, 4, 5))
    if x is None or g.opset < 11:
        return
    mode = g.pick(["nearest", "linear", "linear", "cubic"])
    if mode == "cubic" and x.rank != 4:
        return
    # With scales, ONNX aligns corners over the fractional length, ONNX Runtime over the whole number below it.
    by_scales = g.chance(0.5)
    found = {"mode": mode, "coordinate_transformation_mode": g.pick(
        ["half_pixel", "asymmetric", "pytorch_half_pixel"] + ([] if by_scales else ["align_corners"]))}
    if mode == "nearest":
        found["nearest_mode"] = g.pick(["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])
    if mode == "cubic":
        found["cubic_coeff_a"] = g.pick([-0.75, -0.5])
    if g.opset >= 18 and mode != "nearest" and g.chance(0.3):
        found["antialias"] = 1
    none = g.constant(numpy.zeros(0, numpy.float32))
    if by_scales:
        scales = [1.0, 1.0] + [g.pick([2.0, 1.5, 0.5, 1.0]) for _ in x.shape[2:]]
        g.node("Resize", [x, none, g.constant(numpy.array(scales, numpy.float32))], **found)
    else:
        g.node("Resize", [x, none, none if g.opset < 13 else None,
                          g.ints(list(x.shape[:2]) + [int(g.random.integers(1, 12)) for _ in x.shape[2:]])], **found)


def top(g):
    x = g.operand(exact=True)
    if x is None or x.rank < 1 or g.opset < 11 or len(numpy.unique(x.array)) < x.array.size:
        return
    axis = int(g.random.integers(x.rank))
    g.node("TopK", [x, g.ints([int(g.random.integers(1, x.shape[axis] + 1))])], outputs=2, axis=axis,
           largest=int(g.chance(0.5)), **MOVED)
