// SPDX-License-Identifier: Apache-2.0
#include "backend/reading/strided_view.h"

#include <string.h>

#include "backend/reading/node.h"
#include "ops/element.h"
#include "ops/op.h"

enum { MOST_INPUTS = 5, MOST_OUTPUTS = 16 };

ferry_strided_view ferry_strided_view_of(const ferry_tensor_desc *desc)
{
    ferry_strided_view view = {.rank = desc->rank};
    memcpy(view.dims, desc->dims, sizeof view.dims);
    memcpy(view.strides, desc->strides, sizeof view.strides);
    return view;
}

// The shapes of all outputs; the operator's own inference checks the parameters as well.
static bool infer_shapes(const ferry_graph *g, const ferry_node *node, const ferry_strided_view *x, ferry_shape *out)
{
    ferry_shape in[MOST_INPUTS];
    ferry_dtype in_dtypes[MOST_INPUTS], out_dtypes[MOST_OUTPUTS];
    ferry_tensor data[MOST_INPUTS] = {0};
    const ferry_tensor partial[MOST_INPUTS] = {0};
    const bool *const known[MOST_INPUTS] = {0};
    if (node->n_inputs < 1 || node->n_inputs > MOST_INPUTS || node->n_outputs > MOST_OUTPUTS) return false;
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const ferry_value *value = ferry_node_value(g, node, i);
        if (i > 0 && value && !ferry_value_is_constant(value)) return false;
        in[i] = i == 0 ? ferry_shape_of(x->rank, x->dims) : value ? value->shape : ferry_shape_of(0, NULL);
        in_dtypes[i] = value ? value->dtype : FERRY_DTYPE_NONE;
        if (i > 0 && value) data[i] = ferry_value_tensor(value);
    }
    for (int32_t o = 0; o < node->n_outputs; o++) {
        out[o] = (ferry_shape){.rank = FERRY_RANK_UNKNOWN};
        out_dtypes[o] = FERRY_DTYPE_NONE;
    }
    ferry_infer infer = {.graph = g,
                         .node = node,
                         .in_shapes = in,
                         .in_dtypes = in_dtypes,
                         .in_data = data,
                         .in_partial = partial,
                         .in_known = known,
                         .out_shapes = out,
                         .out_dtypes = out_dtypes};
    return node->op->infer(&infer, NULL) == FERRY_OK && !infer.bounded;
}

static bool take_dims(const ferry_shape *shape, ferry_strided_view *y)
{
    if (shape->rank < 0 || !ferry_shape_is_known(shape)) return false;
    y->rank = shape->rank;
    memcpy(y->dims, shape->dims, sizeof y->dims);
    for (int32_t d = 0; d < y->rank; d++)
        if (y->dims[d] < 1) return false;
    return true;
}

// The step between neighbours of x's dims [begin, end) as one run; false when they do not lie in one.
static bool step_of_run(const ferry_strided_view *x, int32_t begin, int32_t end, int64_t *out)
{
    int64_t span = 0;
    *out = 1;
    for (int32_t d = end - 1; d >= begin; d--) {
        if (x->dims[d] == 1) continue;
        if (span == 0)
            *out = x->strides[d];
        else if (x->strides[d] != span)
            return false;
        span = x->strides[d] * x->dims[d];
    }
    return true;
}

// Strides of y's dims over the same elements as x: both are cut into runs of equal size, which must have a step.
static bool reshape(const ferry_strided_view *x, ferry_strided_view *y)
{
    int32_t i = 0, j = 0;
    y->first = x->first;
    while (i < x->rank && j < y->rank) {
        const int32_t i_first = i, j_first = j;
        int64_t of_x = x->dims[i++], of_y = y->dims[j++], step = 1;
        while (of_x != of_y) {
            if (of_x < of_y) {
                if (i == x->rank) return false;
                of_x *= x->dims[i++];
            } else {
                if (j == y->rank) return false;
                of_y *= y->dims[j++];
            }
        }
        if (!step_of_run(x, i_first, i, &step)) return false;
        for (int32_t d = j - 1; d >= j_first; d--) {
            y->strides[d] = step;
            step *= y->dims[d];
        }
    }
    for (; i < x->rank; i++)
        if (x->dims[i] != 1) return false;
    for (; j < y->rank; j++) {
        if (y->dims[j] != 1) return false;
        y->strides[j] = 1;
    }
    return true;
}

// perm[d]: x's dim that is y's dim d.
static bool permutation(const ferry_node *node, int32_t rank, int32_t *out)
{
    int32_t count = 0;
    const int64_t *perm = ferry_node_ints(node, "perm", &count);
    bool seen[FERRY_MAX_RANK] = {false};
    if (perm && count != rank) return false;
    for (int32_t d = 0; d < rank; d++) {
        out[d] = rank - 1 - d;
        if (perm && ferry_axis(perm[d], rank, &out[d], NULL) != FERRY_OK) return false;
        if (seen[out[d]]) return false;
        seen[out[d]] = true;
    }
    return true;
}

static bool transpose(const ferry_node *node, const ferry_strided_view *x, ferry_strided_view *y)
{
    int32_t perm[FERRY_MAX_RANK];
    if (!permutation(node, x->rank, perm)) return false;
    y->first = x->first;
    for (int32_t d = 0; d < x->rank; d++) y->strides[d] = x->strides[perm[d]];
    return true;
}

static bool split(const ferry_node *node, int32_t o, const ferry_shape *shapes, const ferry_strided_view *x,
                  ferry_strided_view *y)
{
    int32_t axis = 0;
    if (ferry_axis(ferry_node_int(node, "axis", 0), x->rank, &axis, NULL) != FERRY_OK) return false;
    memcpy(y->strides, x->strides, sizeof y->strides);
    y->first = x->first;
    for (int32_t before = 0; before < o; before++) {
        if (shapes[before].rank != x->rank || shapes[before].dims[axis] < 0) return false;
        y->first += shapes[before].dims[axis] * x->strides[axis];
    }
    return true;
}

// Element `at` of a constant input of integers.
static int64_t integer(const ferry_graph *g, const ferry_node *node, int32_t i, size_t at)
{
    const ferry_tensor t = ferry_value_tensor(ferry_node_value(g, node, i));
    return ferry_load_s64(&t, at);
}

static bool slice(const ferry_graph *g, const ferry_node *node, const ferry_strided_view *x, ferry_strided_view *y)
{
    const ferry_value *starts = ferry_node_value(g, node, 1);
    memcpy(y->strides, x->strides, sizeof y->strides);
    y->first = x->first;
    if (!starts) return false;
    for (size_t i = 0; i < (size_t)ferry_value_elements(starts); i++) {
        int32_t d = (int32_t)i;
        const int64_t axis = ferry_node_value(g, node, 3) ? integer(g, node, 3, i) : (int64_t)i;
        if (ferry_axis(axis, x->rank, &d, NULL) != FERRY_OK) return false;
        if (ferry_node_value(g, node, 4) && integer(g, node, 4, i) != 1) return false;
        int64_t start = integer(g, node, 1, i);
        if (start < 0) start = start < -x->dims[d] ? 0 : start + x->dims[d];
        if (start > x->dims[d] - y->dims[d]) return false;
        y->first += start * x->strides[d];
    }
    return true;
}

static bool gather(const ferry_graph *g, const ferry_node *node, const ferry_strided_view *x, ferry_strided_view *y)
{
    const ferry_value *index = ferry_node_value(g, node, 1);
    int32_t axis = 0;
    if (ferry_axis(ferry_node_int(node, "axis", 0), x->rank, &axis, NULL) != FERRY_OK || !index ||
        ferry_value_elements(index) != 1 || index->shape.rank > 1)
        return false;
    int64_t at = integer(g, node, 1, 0);
    if (at < 0) at += x->dims[axis];
    if (at < 0 || at >= x->dims[axis]) return false;
    y->first = x->first + at * x->strides[axis];
    for (int32_t d = 0, to = 0; d < x->rank; d++)
        if (d != axis || index->shape.rank == 1) y->strides[to++] = x->strides[d];
    return true;
}

bool ferry_strided_view_through(const ferry_graph *graph, const ferry_node *node, int32_t o,
                                const ferry_strided_view *x, ferry_strided_view *y)
{
    const bool view = node->op->flags & FERRY_OP_VIEW, turn = ferry_node_is(node, "Transpose");
    const bool cut = ferry_node_is(node, "Slice"), pick = ferry_node_is(node, "Gather");
    ferry_shape shapes[MOST_OUTPUTS];
    if (!view && !turn && !cut && !pick && !ferry_node_is(node, "Split")) return false;
    for (int32_t d = 0; d < x->rank; d++)
        if (x->dims[d] < 1) return false;
    if (!infer_shapes(graph, node, x, shapes) || !take_dims(&shapes[o], y)) return false;
    if (view) return reshape(x, y);
    if (turn) return transpose(node, x, y);
    if (cut) return slice(graph, node, x, y);
    return pick ? gather(graph, node, x, y) : split(node, o, shapes, x, y);
}

bool ferry_strided_view_back(const ferry_node *node, const ferry_strided_view *y, ferry_strided_view *x)
{
    int32_t perm[FERRY_MAX_RANK];
    if (node->op->flags & FERRY_OP_VIEW) return reshape(y, x);
    if (!ferry_node_is(node, "Transpose") || x->rank != y->rank || !permutation(node, x->rank, perm)) return false;
    x->first = y->first;
    for (int32_t d = 0; d < x->rank; d++) x->strides[perm[d]] = y->strides[d];
    return true;
}
