// SPDX-License-Identifier: Apache-2.0
// Constant nodes, whose output is a constant of the graph rather than something that a node makes.
#include <string.h>

#include "import/onnx/reader.h"

static ferry_status check_form(const ferry_onnx_node *n, size_t n_attrs, ferry_error *err)
{
    if (n->n_outputs == 1 && n->outputs[0] != FERRY_NO_VALUE && n->n_inputs == 0 && n_attrs == 1) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_BAD_MODEL, "a Constant has one attribute, one output and no inputs");
}

static ferry_status notice(ferry_onnx_node *n, ferry_error *err)
{
    FERRY_TRY(ferry_infer_walk_sync(&n->reader->walk, err));
    ferry_infer_walk_refresh(&n->reader->walk, n->outputs[0]);
    return FERRY_OK;
}

static ferry_status refuse_kind(const char *name, ferry_error *err)
{
    return ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                      "its value is given as '%s', which ferry does not take: export it as a dense tensor of numbers",
                      name);
}

static bool is_list(const char *name)
{
    return strncmp(name, "value_int", 9) == 0 || strncmp(name, "value_float", 11) == 0;
}

static ferry_status constant_tensor(ferry_onnx_node *n, const Ferry__Onnx__Tensor *t, ferry_error *err)
{
    ferry_onnx_reader *r = n->reader;
    ferry_dtype dtype = FERRY_DTYPE_NONE;
    ferry_shape shape = ferry_shape_unknown();
    const void *data = NULL;
    size_t bytes = 0;
    FERRY_TRY(ferry_onnx_constant_data(r, t, &dtype, &shape, &data, &bytes, err));
    return ferry_graph_make_constant(r->graph, n->outputs[0], dtype, &shape, data, bytes, err);
}

static ferry_status constant_list(ferry_onnx_node *n, const ferry_attr *a, ferry_error *err)
{
    const bool ints = a->kind == FERRY_ATTR_INT || a->kind == FERRY_ATTR_INTS;
    const bool scalar = a->kind == FERRY_ATTR_INT || a->kind == FERRY_ATTR_FLOAT;
    const int64_t dims[1] = {a->count};
    const ferry_shape shape = ferry_shape_of(scalar ? 0 : 1, dims);
    const size_t bytes = (size_t)a->count * (ints ? sizeof(int64_t) : sizeof(float));
    void *room = ferry_graph_constant_room(n->reader->graph, bytes);
    if (!room) return ferry_fail_memory(err, "constants");
    if (bytes) memcpy(room, a->u.ints, bytes); // floats lie at the same address
    return ferry_graph_make_constant(n->reader->graph, n->outputs[0], ints ? FERRY_S64 : FERRY_F32, &shape, room, bytes,
                                     err);
}

static ferry_status make_constant(ferry_onnx_node *n, const ferry_attr *a, ferry_error *err)
{
    if (strcmp(a->name, "value") == 0 && a->kind == FERRY_ATTR_TENSOR) {
        const ferry_tensor *t = a->u.tensor;
        const ferry_shape shape = ferry_shape_of(t->rank, t->dims);
        const size_t bytes = ferry_tensor_bytes(t);
        void *room = ferry_graph_constant_room(n->reader->graph, bytes);
        if (!room) return ferry_fail_memory(err, "constants");
        if (bytes) memcpy(room, t->data, bytes);
        if (t->dtype == FERRY_BOOL) ferry_onnx_normalise_bool(room, bytes);
        FERRY_TRY(ferry_onnx_check_nan(n->reader->allow_nan, t->dtype, room, bytes, err));
        return ferry_graph_make_constant(n->reader->graph, n->outputs[0], t->dtype, &shape, room, bytes, err);
    }
    if (!is_list(a->name)) return refuse_kind(a->name, err);
    if (a->kind == FERRY_ATTR_STRING || a->kind == FERRY_ATTR_STRINGS || a->kind == FERRY_ATTR_TENSOR)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "attribute '%s' is of the wrong kind", a->name);
    return constant_list(n, a, err);
}

ferry_status ferry_onnx_add_constant_node(ferry_onnx_node *n, ferry_error *err)
{
    FERRY_TRY(check_form(n, (size_t)n->n_attrs, err));
    FERRY_TRY(make_constant(n, &n->attrs[0], err));
    return notice(n, err);
}

ferry_status ferry_onnx_read_constant(ferry_onnx_node *n, const Ferry__Onnx__Node *from, ferry_error *err)
{
    FERRY_TRY(check_form(n, from->n_attribute, err));
    const Ferry__Onnx__Attribute *a = from->attribute[0];
    const char *name = a->name ? a->name : "";
    if (strcmp(name, "value") == 0 && a->t) {
        // Weights: used where they lie in the file.
        FERRY_TRY(constant_tensor(n, a->t, err));
    } else {
        if (!is_list(name)) return refuse_kind(name, err);
        ferry_attr attr;
        FERRY_TRY(ferry_onnx_read_attribute(n->reader, a, &attr, err));
        FERRY_TRY(make_constant(n, &attr, err));
    }
    return notice(n, err);
}
