// SPDX-License-Identifier: Apache-2.0
// Which nodes work on whole lines of a tensor, and where their lines lie.
#include "backend/cpu/lines_node.h"

#include "ops/element.h"

static const ferry_lines_op table[] = {{"Softmax", FERRY_LINES_SOFTMAX, 24, true},
                                       {"LogSoftmax", FERRY_LINES_LOG_SOFTMAX, 26, false},
                                       {"InstanceNormalization", FERRY_LINES_INSTANCE_NORM, 12, true},
                                       {"BatchNormalization", FERRY_LINES_BATCH_NORM, 3, true},
                                       {"ArgMax", FERRY_LINES_ARG_MAX, 4, false},
                                       {"ReduceMean", FERRY_LINES_MEAN, 4, false},
                                       {"GlobalAveragePool", FERRY_LINES_MEAN, 4, false},
                                       {"ReduceSum", FERRY_LINES_SUM, 4, false},
                                       {"ReduceMax", FERRY_LINES_MAX, 2, false}};

const ferry_lines_op *ferry_lines_find(const ferry_node *node)
{
    for (size_t i = 0; i < FERRY_COUNT_OF(table); i++)
        if (ferry_node_is(node, table[i].op)) return &table[i];
    return NULL;
}

// The dimensions that a reduction takes away; false when they are not constant, or none.
static bool reduced_axes(const ferry_graph *g, const ferry_node *node, int32_t rank, bool *gone)
{
    const ferry_value *axes = ferry_node_value(g, node, 1);
    if (!axes || ferry_value_elements(axes) == 0) {
        for (int32_t d = 0; d < rank; d++) gone[d] = true;
        return ferry_node_int(node, "noop_with_empty_axes", 0) == 0;
    }
    if (!ferry_value_is_constant(axes) || (axes->dtype != FERRY_S64 && axes->dtype != FERRY_S32) ||
        ferry_value_elements(axes) > FERRY_MAX_RANK)
        return false;
    const ferry_tensor t = ferry_value_tensor(axes);
    for (size_t i = 0; i < ferry_tensor_elements(&t); i++) {
        int32_t d = 0;
        if (ferry_axis(ferry_load_s64(&t, i), rank, &d, NULL) != FERRY_OK) return false;
        gone[d] = true;
    }
    return true;
}

static bool is_vector(const ferry_graph *g, const ferry_node *node, int32_t i, double elements)
{
    const ferry_value *v = ferry_node_value(g, node, i);
    return v && ferry_value_is_constant(v) && ferry_dtype_widens_to_f32(v->dtype) &&
           ferry_value_elements(v) == elements;
}

static bool has_batch_parameters(const ferry_graph *g, const ferry_node *node, double channels)
{
    for (int32_t i = 1; i <= 4; i++)
        if (!is_vector(g, node, i, channels)) return false;
    return true;
}

bool ferry_lines_read(const ferry_graph *g, const ferry_node *node, const ferry_tensor_desc *x,
                      const ferry_tensor_desc *y, ferry_lines_view *view)
{
    const ferry_lines_op *op = ferry_lines_find(node);
    bool gone[FERRY_MAX_RANK] = {false};
    int32_t axis = 0;
    if (!op || x->rank < 1) return false;
    const ferry_lines_kind kind = op->kind;
    for (int32_t o = 1; o < node->n_outputs; o++)
        if (node->outputs[o] != FERRY_NO_VALUE) return false;
    if (y->dtype != (kind == FERRY_LINES_ARG_MAX ? FERRY_S64 : x->dtype)) return false;
    const bool channels_last = x->layout == FERRY_LAYOUT_CHANNELS_LAST && x->rank >= 3;
    if (kind <= FERRY_LINES_LOG_SOFTMAX || kind == FERRY_LINES_ARG_MAX) {
        const int64_t otherwise = kind == FERRY_LINES_ARG_MAX ? 0 : -1;
        if (ferry_axis(ferry_node_int(node, "axis", otherwise), x->rank, &axis, NULL) != FERRY_OK) return false;
        gone[axis] = true;
    } else if (kind == FERRY_LINES_INSTANCE_NORM || kind == FERRY_LINES_BATCH_NORM ||
               ferry_node_is(node, "GlobalAveragePool")) {
        for (int32_t d = 2; d < x->rank; d++) gone[d] = true;
    } else if (!reduced_axes(g, node, x->rank, gone)) {
        return false;
    }
    const bool same = kind <= FERRY_LINES_BATCH_NORM;
    const bool keep = ferry_node_is(node, "GlobalAveragePool") || ferry_node_int(node, "keepdims", 1) != 0;
    if (!ferry_lines_view_make(x, y, gone, same, keep, view)) return false;
    // Partial sums that run over channels and positions in another order would give other bits.
    bool positions = false;
    for (int32_t d = 2; d < x->rank; d++) positions |= gone[d] && x->dims[d] > 1;
    if (channels_last && gone[1] && positions) return false;
    if (view->n > INT32_MAX) return false;
    if (kind == FERRY_LINES_BATCH_NORM) return has_batch_parameters(g, node, x->rank > 1 ? (double)x->dims[1] : 1);
    return kind != FERRY_LINES_INSTANCE_NORM ||
           (x->rank >= 3 && is_vector(g, node, 1, (double)x->dims[1]) && is_vector(g, node, 2, (double)x->dims[1]));
}
