// SPDX-License-Identifier: Apache-2.0
// Before opset 13, Softmax and its kin flattened their input to two dimensions at `axis`; since then they work along
// `axis` alone. Both are the same when the dimensions behind `axis` are all 1.
#include <inttypes.h>
#include <string.h>

#include "import/onnx/upgrade.h"

static bool ones_behind(const ferry_shape *shape, int64_t axis)
{
    for (int64_t d = axis + 1; d < shape->rank; d++)
        if (shape->dims[d] != 1) return false;
    return true;
}

// A node of the same name with a suffix, one input and one new output.
static ferry_status emit_step(ferry_onnx_node *from, const char *op_type, const char *suffix, ferry_value_id in,
                              ferry_value_id second, const ferry_attr *attr, ferry_value_id *out, ferry_error *err)
{
    ferry_onnx_reader *r = from->reader;
    const char *name = ferry_arena_printf(&r->scratch, "%s/%s", from->name, suffix);
    if (!name) return ferry_fail_memory(err, "the model's nodes");
    if (*out == FERRY_NO_VALUE) {
        FERRY_TRY(ferry_graph_add_value(r->graph, name, FERRY_DTYPE_NONE, NULL, out, err));
        FERRY_TRY(ferry_infer_walk_sync(&r->walk, err));
    }
    ferry_value_id ins[2] = {in, second};
    ferry_attr attrs[FERRY_ONNX_ROOM] = {{0}};
    if (attr) attrs[0] = *attr;
    ferry_onnx_node node = {.reader = r,
                            .op_type = op_type,
                            .name = name,
                            .inputs = ins,
                            .n_inputs = second == FERRY_NO_VALUE ? 1 : 2,
                            .outputs = out,
                            .n_outputs = 1,
                            .attrs = attrs,
                            .n_attrs = attr ? 1 : 0};
    return ferry_onnx_emit(&node, err);
}

static ferry_status emit_flattened(ferry_onnx_node *node, int64_t axis, ferry_error *err)
{
    const ferry_value_id x = node->inputs[0];
    const int64_t last[1] = {-1}, at[1] = {axis};
    const ferry_attr flatten_axis = {"axis", FERRY_ATTR_INT, 1, {.ints = at}};
    const ferry_attr softmax_axis = {"axis", FERRY_ATTR_INT, 1, {.ints = last}};
    ferry_value_id flat = FERRY_NO_VALUE, soft = FERRY_NO_VALUE, shape = FERRY_NO_VALUE, out = node->outputs[0];
    FERRY_TRY(emit_step(node, "Flatten", "flatten", x, FERRY_NO_VALUE, &flatten_axis, &flat, err));
    FERRY_TRY(emit_step(node, node->op_type, "2d", flat, FERRY_NO_VALUE, &softmax_axis, &soft, err));
    FERRY_TRY(emit_step(node, "Shape", "shape", x, FERRY_NO_VALUE, NULL, &shape, err));
    return emit_step(node, "Reshape", "reshape", soft, shape, NULL, &out, err);
}

ferry_status ferry_onnx_upgrade_softmax(ferry_onnx_node *node, bool *done, ferry_error *err)
{
    int64_t axis = ferry_onnx_take_int(node, "axis", 1);
    if (node->n_inputs != 1 || node->inputs[0] == FERRY_NO_VALUE || node->n_outputs != 1 || node->n_attrs != 0)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "%s has one input, one output and the attribute 'axis'",
                          node->op_type);
    const ferry_shape *shape = &ferry_onnx_inferred(node, node->inputs[0])->shape;
    if (shape->rank >= 0) {
        if (axis < -shape->rank || axis >= (shape->rank ? shape->rank : 1))
            return ferry_fail(err, FERRY_ERR_BAD_MODEL, "has axis %" PRId64 ", but its input has %d dimensions", axis,
                              shape->rank);
        if (axis < 0) axis += shape->rank;
        if (ones_behind(shape, axis)) return ferry_onnx_set_int(node, "axis", axis, err);
    }
    *done = true;
    return emit_flattened(node, axis, err);
}
