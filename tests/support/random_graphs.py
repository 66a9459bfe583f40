# SPDX-License-Identifier: Apache-2.0
"""Small random ONNX graphs over the operators that ferry promises, with the outputs that ONNX Runtime gives.

Each node is run by ONNX Runtime as it is made, alone and unoptimised: so every shape is known, what it refuses is not
in the graph, and no fusion of its own stands between the two results."""
import warnings

import numpy
import onnx
import onnxruntime
from onnx import helper, numpy_helper

onnxruntime.set_default_logger_severity(4)
LARGEST = 20000  # elements of one tensor
IR_OF_OPSET = {9: 4, 11: 6, 12: 7, 13: 7, 16: 8, 18: 8, 20: 9, 21: 10, 22: 10}


def runs(opset):
    """Whether these versions of onnx and ONNX Runtime know the opset."""
    x, y = (helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1]) for n in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR_OF_OPSET[opset])
    try:
        onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    except Exception:  # of a kind of ONNX Runtime's own
        return False
    return True


OPSETS = [opset for opset in IR_OF_OPSET if runs(opset)]


class Value:
    """A tensor of the graph. `exact`: not rounded yet, so that comparing and rounding it has one answer."""

    def __init__(self, name, array, exact, constant=False):
        self.name, self.array, self.exact, self.constant = name, array, exact, constant

    @property
    def shape(self):
        return self.array.shape

    @property
    def rank(self):
        return self.array.ndim


class Graph:
    """Nodes, initializers and values so far; `random` decides everything."""

    def __init__(self, seed):
        self.random = numpy.random.default_rng(seed)
        self.opset = int(self.random.choice(OPSETS))
        self.nodes, self.initializers, self.inputs, self.values = [], [], [], []

    def pick(self, choices):
        return choices[int(self.random.integers(len(choices)))]

    def chance(self, p):
        return bool(self.random.random() < p)

    def name(self, kind):
        return "%s_%d" % (kind, len(self.values) + len(self.initializers))

    def add_input(self, shape):
        array = self.random.standard_normal(shape).astype(numpy.float32)
        value = Value(self.name("in"), array, exact=True)
        self.inputs.append(value)
        self.values.append(value)
        return value

    def constant(self, array, kind="const"):
        array = numpy.asarray(array)
        value = Value(self.name(kind), array, exact=True, constant=True)
        self.initializers.append(numpy_helper.from_array(array, value.name))
        return value

    def weights(self, *shape):
        scale = 1.0 / numpy.sqrt(max(1, numpy.prod(shape[1:])))
        return self.constant((self.random.standard_normal(shape) * scale).astype(numpy.float32), "w")

    def ints(self, values):
        return self.constant(numpy.array(values, numpy.int64))

    def operand(self, dtype=numpy.float32, rank=None, exact=False):
        """A value made earlier, late ones more likely; None where none fits."""
        fits = [v for v in self.values if v.array.dtype == dtype and (rank is None or v.rank in rank) and
                (v.exact or not exact)]
        return fits[-1 - min(int(self.random.geometric(0.35)) - 1, len(fits) - 1)] if fits else None

    def node(self, op, inputs, outputs=1, exact=False, **attributes):
        """Adds a node if ONNX Runtime runs it and its results are tame; returns its first value or None."""
        names = [v.name if v is not None else "" for v in inputs]
        made = [self.name(op.lower()) + ("_%d" % i if i else "") for i in range(outputs)]
        node = helper.make_node(op, names, made, "node_%d" % len(self.nodes), **attributes)
        arrays = self.run_alone(node, [v for v in inputs if v is not None])
        if arrays is None or not all(tame(a) for a in arrays):
            return None
        self.nodes.append(node)
        exact = exact and all(v.exact for v in inputs if v is not None)
        values = [Value(n, a, exact) for n, a in zip(made, arrays)]
        self.values += values
        return values[0]

    def run_alone(self, node, inputs):
        feeds = {v.name: v.array for v in inputs if not v.constant}
        declared = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
                    for n, a in feeds.items()]
        constants = {v.name: numpy_helper.from_array(v.array, v.name) for v in inputs if v.constant}
        graph = helper.make_graph([node], "g", declared, [onnx.ValueInfoProto(name=n) for n in node.output],
                                  list(constants.values()))
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = 1
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                session = onnxruntime.InferenceSession(self.as_model(graph).SerializeToString(), options,
                                                       providers=["CPUExecutionProvider"])
                return session.run(None, feeds)
        except Exception:  # whatever ONNX Runtime finds wrong: the graph goes on without this node
            return None

    def as_model(self, graph):
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)],
                                 ir_version=IR_OF_OPSET[self.opset])

    def model(self):
        """(model, inputs by name, expected outputs by name): the values that nothing reads, and some others."""
        read = {n for node in self.nodes for n in node.input}
        made = [v for v in self.values if v not in self.inputs]
        results = [v for v in made if v.name not in read or self.chance(0.15)]
        declared = [[helper.make_tensor_value_info(v.name, helper.np_dtype_to_tensor_dtype(v.array.dtype), v.shape)
                     for v in some] for some in (self.inputs, results)]
        used = [i for i in self.initializers if i.name in read]
        graph = helper.make_graph(self.nodes, "random", declared[0], declared[1], used)
        if self.chance(0.3):  # as exporters of old did
            for i in used:
                graph.input.append(helper.make_tensor_value_info(i.name, i.data_type, i.dims))
        return (self.as_model(graph), {v.name: v.array for v in self.inputs}, {v.name: v.array for v in results})


def tame(array):
    if array.size == 0 or array.size > LARGEST or array.ndim > 6:
        return False
    if array.dtype.kind != "f":
        return True
    return bool(numpy.isfinite(array).all() and numpy.abs(array).max() < 1e3)


def random_graph(seed, makers, nodes=8, inputs=2):
    """A graph of some `nodes` nodes over 1 or 2 inputs; the same for the same arguments."""
    graph = Graph(seed)
    graph.add_input(graph.pick([(1, 3, 8, 8), (2, 4, 7, 9), (2, 8, 6, 6), (1, 16, 5, 5), (2, 3, 17), (1, 2, 5, 6, 7),
                                (4, 10), (2, 5, 12), (1, 1, 1, 13), (3, 1, 4, 4)]))
    if inputs > 1 and graph.chance(0.5):
        graph.add_input(graph.pick([graph.inputs[0].shape, (1,), graph.inputs[0].shape[-1:], (2, 6), (1, 8, 4, 4)]))
    for _ in range(nodes * 10):
        if len(graph.nodes) >= nodes:
            break
        graph.pick(makers)(graph)
    if not graph.nodes:
        raise RuntimeError("seed %d: ONNX Runtime ran no node of opset %d" % (seed, graph.opset))
    return graph
