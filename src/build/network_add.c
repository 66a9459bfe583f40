// SPDX-License-Identifier: Apache-2.0
// Building a network layer by layer: everything that a caller hands in is checked before the graph sees it.
#include <inttypes.h>
#include <string.h>

#include "base/options.h"
#include "build/internal.h"
#include "import/onnx/tensor.h"
#include "ops/known.h"

static ferry_status check_new_name(const ferry_network *network, const char *name, ferry_error *err)
{
    if (!*name) return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "its name is empty");
    if (ferry_graph_find_value(&network->graph, name) == FERRY_NO_VALUE) return FERRY_OK;
    return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "the network has a tensor of that name already");
}

// --- Inputs --------------------------------------------------------------------------------------------------------

static ferry_status take_shape(ferry_dtype dtype, int32_t rank, const int64_t *dims, ferry_shape *out, ferry_error *err)
{
    if (ferry_dtype_bytes(dtype) == 0)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "there is no element type %d", (int)dtype);
    if (rank < 0 || rank > FERRY_MAX_RANK)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "it has %d dimensions, 0 to %d can be handled", rank,
                          FERRY_MAX_RANK);
    if (rank && !dims) return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "its dimensions are NULL");
    for (int32_t d = 0; d < rank; d++)
        if (dims[d] < FERRY_DIM_UNKNOWN)
            return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "dimension %d is %" PRId64, d, dims[d]);
    *out = ferry_shape_of(rank, dims);
    if (!ferry_shape_fits(out, dtype))
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "it is larger than 2^47 bytes");
    return FERRY_OK;
}

static ferry_status add_input(ferry_network *network, const char *name, ferry_dtype dtype, const ferry_shape *shape,
                              ferry_value_id *out, ferry_error *err)
{
    const ferry_graph_mark before = ferry_graph_here(&network->graph);
    FERRY_TRY(ferry_graph_add_value(&network->graph, name, dtype, shape, out, err));
    const ferry_status s = ferry_graph_mark_input(&network->graph, *out, err);
    if (s != FERRY_OK) ferry_graph_take_back(&network->graph, &before);
    return s;
}

ferry_status ferry_network_add_input(ferry_network *network, const char *name, ferry_dtype dtype, int32_t rank,
                                     const int64_t *dims, int32_t *out_tensor, ferry_error *error)
{
    *out_tensor = FERRY_NO_TENSOR;
    if (!name) return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "an input's name is NULL");
    ferry_shape shape;
    ferry_value_id id = FERRY_NO_VALUE;
    ferry_status s = check_new_name(network, name, error);
    if (s == FERRY_OK) s = take_shape(dtype, rank, dims, &shape, error);
    if (s == FERRY_OK) s = add_input(network, name, dtype, &shape, &id, error);
    if (s != FERRY_OK) return ferry_within(error, s, "input '%s'", name);
    *out_tensor = id;
    return FERRY_OK;
}

// --- Constants -----------------------------------------------------------------------------------------------------

// The shape and bytes of a caller's tensor.
static ferry_status check_view(const ferry_tensor_view *view, ferry_shape *out_shape, size_t *out_bytes,
                               ferry_error *err)
{
    FERRY_TRY(take_shape(view->dtype, view->rank, view->dims, out_shape, err));
    if (!ferry_shape_bytes(out_shape, view->dtype, out_bytes))
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "a constant needs a size for every dimension");
    if (*out_bytes && !view->data) return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "its data is NULL");
    return FERRY_OK;
}

static ferry_status add_constant(ferry_network *network, const char *name, const ferry_tensor_view *view,
                                 ferry_value_id *out, ferry_error *err)
{
    if (name) FERRY_TRY(check_new_name(network, name, err));
    ferry_shape shape;
    size_t bytes = 0;
    FERRY_TRY(check_view(view, &shape, &bytes, err));
    void *room = ferry_graph_constant_room(&network->graph, bytes);
    if (!room) return ferry_fail_memory(err, "a constant");
    if (bytes) memcpy(room, view->data, bytes);
    if (view->dtype == FERRY_BOOL) ferry_onnx_normalise_bool(room, bytes);
    FERRY_TRY(ferry_onnx_check_nan(false, view->dtype, room, bytes, err));
    return ferry_graph_add_constant(&network->graph, name ? name : "constant", view->dtype, &shape, room, bytes, false,
                                    out, err);
}

ferry_status ferry_network_add_constant(ferry_network *network, const char *name, const ferry_tensor_view *view,
                                        int32_t *out_tensor, ferry_error *error)
{
    *out_tensor = FERRY_NO_TENSOR;
    if (!view) return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "a constant's view is NULL");
    ferry_value_id id = FERRY_NO_VALUE;
    const ferry_status s = add_constant(network, name, view, &id, error);
    if (s != FERRY_OK) return ferry_within(error, s, "constant '%s'", name ? name : "");
    *out_tensor = id;
    return FERRY_OK;
}

// --- Attributes ----------------------------------------------------------------------------------------------------

_Static_assert((int)FERRY_ATTRIBUTE_INT == (int)FERRY_ATTR_INT && (int)FERRY_ATTRIBUTE_FLOAT == (int)FERRY_ATTR_FLOAT &&
                   (int)FERRY_ATTRIBUTE_STRING == (int)FERRY_ATTR_STRING &&
                   (int)FERRY_ATTRIBUTE_INTS == (int)FERRY_ATTR_INTS &&
                   (int)FERRY_ATTRIBUTE_FLOATS == (int)FERRY_ATTR_FLOATS &&
                   (int)FERRY_ATTRIBUTE_STRINGS == (int)FERRY_ATTR_STRINGS &&
                   (int)FERRY_ATTRIBUTE_TENSOR == (int)FERRY_ATTR_TENSOR,
               "public and private attribute kinds are the same numbers");

static ferry_status take_tensor(ferry_arena *arena, const ferry_tensor_view *view, const ferry_tensor **out,
                                ferry_error *err)
{
    ferry_shape shape;
    size_t bytes = 0;
    FERRY_TRY(check_view(view, &shape, &bytes, err));
    ferry_tensor *t = ferry_arena_alloc(arena, sizeof *t);
    if (t) *t = (ferry_tensor){.dtype = view->dtype, .rank = view->rank, .data = ferry_arena_alloc(arena, bytes)};
    if (!t || !t->data) return ferry_fail_memory(err, "attributes");
    memcpy(t->dims, shape.dims, sizeof t->dims);
    if (bytes) memcpy(t->data, view->data, bytes);
    if (view->dtype == FERRY_BOOL) ferry_onnx_normalise_bool(t->data, bytes);
    *out = t;
    return FERRY_OK;
}

static ferry_status check_strings(const ferry_attribute *a, ferry_error *err)
{
    for (int32_t i = 0; a->strings && i < a->count; i++)
        if (!a->strings[i]) return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "string %d is NULL", i);
    return FERRY_OK;
}

static ferry_status take_payload(ferry_arena *arena, const ferry_attribute *a, ferry_attr *out, ferry_error *err)
{
    switch (a->kind) {
    case FERRY_ATTRIBUTE_INT:
    case FERRY_ATTRIBUTE_INTS:
        out->u.ints = a->ints;
        break;
    case FERRY_ATTRIBUTE_FLOAT:
    case FERRY_ATTRIBUTE_FLOATS:
        out->u.floats = a->floats;
        break;
    case FERRY_ATTRIBUTE_STRING:
    case FERRY_ATTRIBUTE_STRINGS:
        out->u.strings = a->strings;
        FERRY_TRY(check_strings(a, err));
        break;
    case FERRY_ATTRIBUTE_TENSOR:
        return take_tensor(arena, &a->tensor, &out->u.tensor, err);
    default:
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "there is no kind %d of attributes", (int)a->kind);
    }
    const bool list = a->kind >= FERRY_ATTRIBUTE_INTS;
    if (a->count < 0 || (!list && a->count != 1))
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "it has %d elements%s", a->count,
                          list ? "" : ", a single one has 1");
    if (a->count && !out->u.ints) return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "its elements are NULL");
    return FERRY_OK;
}

static ferry_status take_attributes(ferry_arena *arena, const ferry_node_description *node, const ferry_attr **out,
                                    ferry_error *err)
{
    ferry_attr *attrs = ferry_arena_alloc_array(arena, (size_t)node->n_attributes, sizeof *attrs);
    if (!attrs) return ferry_fail_memory(err, "attributes");
    for (int32_t i = 0; i < node->n_attributes; i++) {
        const ferry_attribute *a = &node->attributes[i];
        if (!a->name || !*a->name) return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "attribute %d has no name", i);
        attrs[i] = (ferry_attr){.name = a->name,
                                .kind = (ferry_attr_kind)a->kind,
                                .count = a->kind == FERRY_ATTRIBUTE_TENSOR ? 1 : a->count};
        const ferry_status s = take_payload(arena, a, &attrs[i], err);
        if (s != FERRY_OK) return ferry_within(err, s, "attribute '%s'", a->name);
    }
    *out = attrs;
    return FERRY_OK;
}

// --- Nodes ---------------------------------------------------------------------------------------------------------

static ferry_status check_list(const char *what, int32_t count, int32_t least, const void *list, ferry_error *err)
{
    enum { MOST = 1 << 20 };
    if (count < least || count > MOST)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "it has %d %s, %d to %d are possible", count, what, least,
                          MOST);
    if (count && !list) return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "its %s are NULL", what);
    return FERRY_OK;
}

static ferry_status add_node(ferry_network *network, const ferry_node_description *node, ferry_arena *arena,
                             int32_t *out_tensors, ferry_error *err)
{
    FERRY_TRY(check_list("inputs", node->n_inputs, 0, node->inputs, err));
    FERRY_TRY(check_list("outputs", node->n_outputs, 1, out_tensors, err));
    FERRY_TRY(check_list("attributes", node->n_attributes, 0, node->attributes, err));
    const ferry_attr *attrs = NULL;
    FERRY_TRY(take_attributes(arena, node, &attrs, err));
    if (!network->appender) FERRY_TRY(ferry_onnx_appender_create(&network->graph, &network->appender, err));
    const ferry_onnx_words words = {.op_type = node->op_type,
                                    .domain = node->domain,
                                    .name = node->name,
                                    .inputs = node->inputs,
                                    .output_names = node->output_names,
                                    .attrs = attrs,
                                    .n_inputs = node->n_inputs,
                                    .n_outputs = node->n_outputs,
                                    .n_attrs = node->n_attributes};
    return ferry_onnx_append(network->appender, &words, out_tensors, err);
}

ferry_status ferry_network_add_node(ferry_network *network, const ferry_node_description *node, int32_t *out_tensors,
                                    ferry_error *error)
{
    if (!node) return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "a node's description is NULL");
    ferry_node_description own;
    FERRY_TRY(FERRY_OPTIONS_TAKE(ferry_node_description, &own, node, error));
    if (!own.op_type || !*own.op_type) return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "a node has no operator");
    ferry_arena arena;
    ferry_arena_init(&arena, network->heap);
    const ferry_status s = add_node(network, &own, &arena, out_tensors, error);
    ferry_arena_deinit(&arena);
    return s;
}
