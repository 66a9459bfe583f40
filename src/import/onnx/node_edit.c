// SPDX-License-Identifier: Apache-2.0
// Small changes to a node that is being upgraded: attributes become inputs, inputs become constants.
#include "import/onnx/reader.h"

#include <string.h>

#include "ops/element.h"

const ferry_attr *ferry_onnx_find_attr(const ferry_onnx_node *node, const char *name)
{
    for (int32_t i = 0; i < node->n_attrs; i++)
        if (strcmp(node->attrs[i].name, name) == 0) return &node->attrs[i];
    return NULL;
}

const ferry_attr *ferry_onnx_take_attr(ferry_onnx_node *node, const char *name)
{
    const ferry_attr *found = ferry_onnx_find_attr(node, name);
    if (!found) return NULL;
    const ferry_attr taken = *found;
    const int32_t i = (int32_t)(found - node->attrs);
    node->n_attrs--;
    memmove(&node->attrs[i], &node->attrs[i + 1], (size_t)(node->n_attrs - i) * sizeof taken);
    // Parked behind the list's end, where the room for more attributes is; good until the next attribute is set.
    node->attrs[node->n_attrs] = taken;
    return &node->attrs[node->n_attrs];
}

int64_t ferry_onnx_take_int(ferry_onnx_node *node, const char *name, int64_t otherwise)
{
    const ferry_attr *a = ferry_onnx_take_attr(node, name);
    return a && a->kind == FERRY_ATTR_INT ? a->u.ints[0] : otherwise;
}

float ferry_onnx_take_float(ferry_onnx_node *node, const char *name, float otherwise)
{
    const ferry_attr *a = ferry_onnx_take_attr(node, name);
    return a && a->kind == FERRY_ATTR_FLOAT ? a->u.floats[0] : otherwise;
}

static void put_attr(ferry_onnx_node *node, const ferry_attr *attr)
{
    ferry_onnx_take_attr(node, attr->name);
    node->attrs[node->n_attrs++] = *attr;
}

ferry_status ferry_onnx_set_int(ferry_onnx_node *node, const char *name, int64_t value, ferry_error *err)
{
    const int64_t *own = ferry_arena_copy(&node->reader->scratch, &value, sizeof value);
    if (!own) return ferry_fail_memory(err, "attributes");
    put_attr(node, &(const ferry_attr){name, FERRY_ATTR_INT, 1, {.ints = own}});
    return FERRY_OK;
}

ferry_status ferry_onnx_set_string(ferry_onnx_node *node, const char *name, const char *value, ferry_error *err)
{
    const char **own = ferry_arena_copy(&node->reader->scratch, &value, sizeof value);
    if (!own) return ferry_fail_memory(err, "attributes");
    put_attr(node, &(const ferry_attr){name, FERRY_ATTR_STRING, 1, {.strings = own}});
    return FERRY_OK;
}

ferry_value_id ferry_onnx_get_input(const ferry_onnx_node *node, int32_t index)
{
    return index < node->n_inputs ? node->inputs[index] : FERRY_NO_VALUE;
}

void ferry_onnx_set_input(ferry_onnx_node *node, int32_t index, ferry_value_id value)
{
    while (node->n_inputs <= index) node->inputs[node->n_inputs++] = FERRY_NO_VALUE;
    node->inputs[index] = value;
}

static const char *constant_name(ferry_onnx_node *node, const char *what)
{
    return ferry_arena_printf(&node->reader->scratch, "%s/%s", node->name, what);
}

ferry_status ferry_onnx_set_input_ints(ferry_onnx_node *node, int32_t index, const char *what, const int64_t *values,
                                       int32_t count, ferry_error *err)
{
    ferry_value_id id;
    FERRY_TRY(ferry_graph_add_constant_s64(node->reader->graph, constant_name(node, what), values, count, &id, err));
    ferry_onnx_set_input(node, index, id);
    return ferry_infer_walk_sync(&node->reader->walk, err);
}

ferry_status ferry_onnx_set_input_floats(ferry_onnx_node *node, int32_t index, const char *what, ferry_dtype dtype,
                                         const float *values, int32_t count, ferry_error *err)
{
    if (dtype == FERRY_DTYPE_NONE) dtype = FERRY_F32;
    const int64_t dims[1] = {count};
    const ferry_shape shape = ferry_shape_of(count < 0 ? 0 : 1, dims);
    const size_t n = count < 0 ? 1 : (size_t)count, bytes = n * ferry_dtype_bytes(dtype);
    ferry_tensor t = {.dtype = dtype, .rank = shape.rank, .dims = {count}};
    t.data = ferry_graph_constant_room(node->reader->graph, bytes);
    if (!t.data) return ferry_fail_memory(err, "constants");
    for (size_t i = 0; i < n; i++) ferry_store_f64(&t, i, (double)values[i]);
    ferry_value_id id;
    FERRY_TRY(ferry_graph_add_constant(node->reader->graph, constant_name(node, what), dtype, &shape, t.data, bytes,
                                       false, &id, err));
    ferry_onnx_set_input(node, index, id);
    return ferry_infer_walk_sync(&node->reader->walk, err);
}

const ferry_inferred *ferry_onnx_inferred(const ferry_onnx_node *node, ferry_value_id value)
{
    static const ferry_inferred nothing = {.shape = {.rank = FERRY_RANK_UNKNOWN}};
    if (value == FERRY_NO_VALUE || (size_t)value >= node->reader->walk.n_values) return &nothing;
    return &node->reader->walk.values[value];
}
