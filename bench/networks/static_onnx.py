# SPDX-License-Identifier: Apache-2.0
"""Gives an ONNX network of one input a fixed shape, and computes beforehand what follows from shapes and weights alone:
engines differ in what they fold, and some take no network that works out its own sizes."""
import onnx
import onnx.reference
import onnx.version_converter
from onnx import helper, numpy_helper, shape_inference

OLDEST_OPSET = 13


def make_static(model, shape):
    if model.opset_import[0].version < OLDEST_OPSET:
        model = onnx.version_converter.convert_version(model, OLDEST_OPSET)
    dims = model.graph.input[0].type.tensor_type.shape.dim
    del dims[:]
    for size in shape:
        dims.add().dim_value = size
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    while fold(model):
        pass
    drop_unused(model.graph)
    model = shape_inference.infer_shapes(model)
    onnx.checker.check_model(model)
    return model


def known_shapes(model):
    graph = shape_inference.infer_shapes(model, data_prop=True).graph
    found = {}
    for value in [*graph.input, *graph.value_info]:
        dims = value.type.tensor_type.shape.dim
        if value.type.tensor_type.HasField("shape") and all(d.HasField("dim_value") for d in dims):
            found[value.name] = [d.dim_value for d in dims]
    return found


def shape_as_constant(node, shapes):
    """A Shape of what has a known shape, as a Constant; every other node as it is."""
    if node.op_type != "Shape" or node.attribute or node.input[0] not in shapes:
        return node
    shape = shapes[node.input[0]]
    value = helper.make_tensor("shape", onnx.TensorProto.INT64, [len(shape)], shape)
    return helper.make_node("Constant", [], node.output, value=value)


def fold(model):
    """Makes weights of all nodes that depend on constants only. False: there were none. What is folded may let shape
    inference find more."""
    graph, shapes = model.graph, known_shapes(model)
    known = {""} | {i.name for i in graph.initializer}
    constant, rest = [], []
    for node in graph.node:
        node = shape_as_constant(node, shapes)
        foldable = known.issuperset(node.input)
        (constant if foldable else rest).append(node)
        known.update(node.output if foldable else ())
    if constant:
        del graph.node[:]
        graph.node.extend(rest)
        graph.initializer.extend(evaluate(constant, model))
    return bool(constant)


def evaluate(nodes, model):
    """What the nodes compute, as far as the nodes left in the model read it."""
    read = {name for node in model.graph.node for name in node.input}
    names = [name for node in nodes for name in node.output if name in read]
    outputs = [onnx.ValueInfoProto(name=name) for name in names]
    graph = helper.make_graph(nodes, "constants", [], outputs, initializer=model.graph.initializer)
    computed = helper.make_model(graph, opset_imports=model.opset_import)
    values = onnx.reference.ReferenceEvaluator(computed).run(names, {})
    return [numpy_helper.from_array(value, name) for name, value in zip(names, values)]


def drop_unused(graph):
    """Weights that only folded nodes read, and what is said of tensors that are gone."""
    read = {name for node in graph.node for name in node.input}
    weights = [i for i in graph.initializer if i.name in read]
    del graph.initializer[:]
    graph.initializer.extend(weights)
    del graph.value_info[:]
