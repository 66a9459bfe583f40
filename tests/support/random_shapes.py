# SPDX-License-Identifier: Apache-2.0
"""What makers of random nodes share: shapes that broadcast, axes as attribute or input, windows that fit."""
MOVED = {"exact": True}


def axes_node(g, op, x, axes, since, exact=False, **found):
    """A node whose axes became an input in opset `since`."""
    if g.opset >= since:
        return g.node(op, [x, g.ints(axes)], exact=exact, **found)
    return g.node(op, [x], exact=exact, axes=axes, **found)


def window(g, rank, most=3, dilations=True):
    """Attributes of a random sliding window over `rank` axes."""
    kernel = [int(g.random.integers(1, most + 1)) for _ in range(rank)]
    found = {"kernel_shape": kernel}
    if g.chance(0.6):
        found["strides"] = [int(g.random.integers(1, 4)) for _ in range(rank)]
    if dilations and g.chance(0.3):
        found["dilations"] = [int(g.random.integers(1, 3)) for _ in range(rank)]
    if g.chance(0.2) and "dilations" not in found:
        found["auto_pad"] = g.pick(["SAME_UPPER", "SAME_LOWER", "VALID"])
    elif g.chance(0.7):
        found["pads"] = [int(g.random.integers(0, k)) for k in kernel * 2]
    return found


def fits(found, shape):
    """Whether the window fits. ONNX Runtime rounds a negative room towards zero, and so runs some that do not."""
    rank = len(shape)
    pads, dilations = found.get("pads", [0] * 2 * rank), found.get("dilations", [1] * rank)
    reach = [(k - 1) * d + 1 for k, d in zip(found["kernel_shape"], dilations)]
    return all(reach[i] <= shape[i] + pads[i] + pads[i + rank] for i in range(rank)) or "SAME" in found.get(
        "auto_pad", "")


def broadcast_shape(g, shape):
    """A shape that broadcasts with `shape`: with axes left out, or of 1."""
    shape = [1 if g.chance(0.4) else d for d in shape]
    return shape[int(g.random.integers(0, len(shape) + 1)):] if g.chance(0.5) else shape
