// SPDX-License-Identifier: Apache-2.0
// Evaluates, with the reference kernels, what does not depend on the inputs' data: constants and known shapes.
#include <string.h>

#include "ops/element.h"
#include "ops/infer.h"
#include "passes/rewrite.h"

ferry_status ferry_pass_fold(ferry_graph *graph, const ferry_pass_context *context, bool *changed, ferry_error *err);

// The readers of the node's output `i` read the constant from now on.
static ferry_status replace_by(ferry_graph *graph, ferry_node_id node, int32_t i, ferry_dtype dtype,
                               const ferry_shape *shape, const void *data, size_t bytes, ferry_value_id *out_constant,
                               ferry_error *err)
{
    const ferry_value_id out = graph->nodes[node].outputs[i];
    FERRY_TRY(
        ferry_graph_add_constant(graph, graph->values[out].name, dtype, shape, data, bytes, true, out_constant, err));
    ferry_graph_replace_uses(graph, out, *out_constant);
    return FERRY_OK;
}

// Weights of Q/DQ models become floats that remember the grid they lie on, so that INT8 gets the very same integers
// back.
static ferry_status remember_grid(ferry_graph *graph, const ferry_node *node, ferry_value_id constant, ferry_error *err)
{
    const ferry_value *from = &graph->values[node->inputs[0]];
    ferry_quant q = from->quant;
    if (ferry_node_is(node, "Transpose") && q.dtype == FERRY_S8) {
        int32_t n = 0;
        const int64_t *perm = ferry_node_ints(node, "perm", &n);
        for (int32_t i = 0; q.axis >= 0 && i < from->shape.rank; i++) {
            if ((perm ? perm[i] : from->shape.rank - 1 - i) != q.axis) continue;
            q.axis = i;
            break;
        }
        graph->values[constant].quant = q;
        return FERRY_OK;
    }
    if (!ferry_node_is(node, "DequantizeLinear") || from->dtype != FERRY_S8 || ferry_node_int(node, "block_size", 0))
        return FERRY_OK;
    const ferry_tensor scale = ferry_value_tensor(&graph->values[node->inputs[1]]);
    const size_t count = ferry_tensor_elements(&scale);
    const ferry_value_id zero = ferry_rewrite_input(node, 2);
    if (scale.dtype != FERRY_F32 || count == 0 || count > INT32_MAX) return FERRY_OK;
    if (zero != FERRY_NO_VALUE) {
        const ferry_tensor z = ferry_value_tensor(&graph->values[zero]);
        for (size_t i = 0; i < ferry_tensor_elements(&z); i++)
            if (ferry_load_s64(&z, i) != 0) return FERRY_OK;
    }
    float *scales = ferry_arena_copy(&graph->arena, scale.data, count * sizeof *scales);
    if (!scales) return ferry_fail_memory(err, "scales of weights");
    for (size_t i = 0; i < count; i++)
        if (!(scales[i] > 0.0f)) return FERRY_OK;
    int32_t axis = -1;
    if (count > 1) FERRY_TRY(ferry_axis(ferry_node_int(node, "axis", 1), from->shape.rank, &axis, err));
    graph->values[constant].quant =
        (ferry_quant){.dtype = FERRY_S8, .axis = axis, .count = (int32_t)count, .scales = scales};
    return FERRY_OK;
}

// Dimensions [begin, end) of a known shape, or those that `index` names.
static ferry_status replace_by_dims(ferry_graph *graph, ferry_node_id node, const ferry_shape *shape,
                                    const int64_t *index, int32_t count, bool scalar, bool *changed, ferry_error *err)
{
    int64_t dims[FERRY_MAX_RANK];
    if (count > FERRY_MAX_RANK) return FERRY_OK;
    for (int32_t i = 0; i < count; i++) {
        int64_t at = index[i] < 0 ? index[i] + shape->rank : index[i];
        if (at < 0 || at >= shape->rank || shape->dims[at] == FERRY_DIM_UNKNOWN) return FERRY_OK;
        dims[i] = shape->dims[at];
    }
    const ferry_shape as = scalar ? ferry_shape_of(0, NULL) : ferry_shape_of(1, &(int64_t){count});
    ferry_value_id constant = FERRY_NO_VALUE;
    FERRY_TRY(replace_by(graph, node, 0, FERRY_S64, &as, dims, (size_t)count * sizeof *dims, &constant, err));
    ferry_graph_remove_node(graph, node);
    *changed = true;
    return FERRY_OK;
}

static int64_t clamp_index(int64_t i, int64_t rank)
{
    if (i < 0) i += rank;
    return i < 0 ? 0 : i > rank ? rank : i;
}

// Shape, Shape -> Gather and Shape -> Slice, as far as the dimensions that are asked for are known.
static ferry_status fold_shape(ferry_graph *graph, ferry_node_id id, ferry_arena *scratch, bool *changed,
                               ferry_error *err)
{
    const ferry_node *node = &graph->nodes[id];
    const ferry_node *shape_node = node;
    if (!ferry_node_is(node, "Shape")) {
        const ferry_node_id made_by = ferry_rewrite_made_by(graph, node->inputs[0], "Shape");
        if (made_by == FERRY_NO_NODE) return FERRY_OK;
        shape_node = &graph->nodes[made_by];
    }
    const ferry_shape *shape = &graph->values[shape_node->inputs[0]].shape;
    if (shape->rank == FERRY_RANK_UNKNOWN) return FERRY_OK;
    const int64_t begin = clamp_index(ferry_node_int(shape_node, "start", 0), shape->rank);
    const int64_t end = clamp_index(ferry_node_int(shape_node, "end", shape->rank), shape->rank);
    int64_t index[FERRY_MAX_RANK];
    int32_t count = 0;
    bool scalar = false;
    if (ferry_node_is(node, "Shape")) {
        for (int64_t i = begin; i < end; i++) index[count++] = i;
        return replace_by_dims(graph, id, shape, index, count, false, changed, err);
    }
    if (begin != 0 || end != shape->rank) return FERRY_OK;
    if (ferry_node_is(node, "Gather")) {
        const ferry_value_id which = node->inputs[1];
        size_t n = 0;
        if (!ferry_rewrite_is_constant(graph, which) || graph->values[which].shape.rank > 1) return FERRY_OK;
        const double *at = ferry_rewrite_load(graph, which, scratch, &n);
        if (!at || n > FERRY_MAX_RANK) return FERRY_OK;
        for (size_t i = 0; i < n; i++) index[count++] = (int64_t)at[i];
        scalar = graph->values[which].shape.rank == 0;
    } else { // Slice
        double from = 0, to = 0, step = 1;
        if (!ferry_rewrite_scalar(graph, ferry_rewrite_input(node, 1), &from) ||
            !ferry_rewrite_scalar(graph, ferry_rewrite_input(node, 2), &to))
            return FERRY_OK;
        if (ferry_rewrite_input(node, 4) != FERRY_NO_VALUE && !ferry_rewrite_scalar(graph, node->inputs[4], &step))
            return FERRY_OK;
        if (step != 1.0) return FERRY_OK;
        const int64_t stop = to > 1000.0 ? shape->rank : clamp_index((int64_t)to, shape->rank);
        for (int64_t i = clamp_index((int64_t)from, shape->rank); i < stop; i++) index[count++] = i;
    }
    return replace_by_dims(graph, id, shape, index, count, scalar, changed, err);
}

static bool is_foldable(const ferry_graph *graph, const ferry_node *node, size_t *out_bytes)
{
    size_t bytes = 0;
    if ((node->op->flags & FERRY_OP_IMPURE) || !node->op->eval) return false;
    for (int32_t i = 0; i < node->n_inputs; i++) {
        if (node->inputs[i] == FERRY_NO_VALUE) continue;
        if (!ferry_rewrite_is_constant(graph, node->inputs[i])) return false;
        bytes += graph->values[node->inputs[i]].data_bytes;
    }
    for (int32_t i = 0; i < node->n_outputs; i++) // a graph output stays something that is computed
        if (node->outputs[i] != FERRY_NO_VALUE && graph->values[node->outputs[i]].is_output) return false;
    *out_bytes = bytes;
    return true;
}

// The size is known before anything is evaluated, unless the data decides it.
static bool is_small_enough(const ferry_graph *graph, const ferry_node *node, size_t in_bytes, size_t limit)
{
    for (int32_t i = 0; i < node->n_outputs; i++) {
        if (node->outputs[i] == FERRY_NO_VALUE) continue;
        const ferry_value *v = &graph->values[node->outputs[i]];
        size_t n = 0, bytes = 0;
        if (!ferry_shape_elements(&v->shape, &n) || !ferry_mul_size(n, ferry_dtype_bytes(v->dtype), &bytes))
            return false;
        if (bytes > limit && bytes > in_bytes) return false;
    }
    return true;
}

static ferry_status fold_constant(ferry_graph *graph, ferry_node_id id, const ferry_pass_context *context,
                                  bool *changed, ferry_error *err)
{
    const ferry_node *node = &graph->nodes[id];
    size_t in_bytes = 0;
    if (!is_foldable(graph, node, &in_bytes) || !is_small_enough(graph, node, in_bytes, context->fold_limit_bytes))
        return FERRY_OK;
    ferry_arena results;
    ferry_arena_init(&results, graph->heap);
    const int32_t n_outputs = node->n_outputs;
    ferry_tensor *in = ferry_arena_alloc_array(&results, (size_t)node->n_inputs + 1, sizeof *in);
    ferry_tensor *out = ferry_arena_alloc_array(&results, (size_t)n_outputs + 1, sizeof *out);
    ferry_status s = in && out ? FERRY_OK : ferry_fail_memory(err, "folding");
    for (int32_t i = 0; s == FERRY_OK && i < node->n_inputs; i++)
        if (node->inputs[i] != FERRY_NO_VALUE) in[i] = ferry_value_tensor(&graph->values[node->inputs[i]]);
    if (s == FERRY_OK) {
        s = ferry_node_eval(graph, node, in, out, &results, err);
        if (s == FERRY_ERR_UNSUPPORTED) { // what the reference kernel lacks is for the planner to refuse
            ferry_arena_deinit(&results);
            return FERRY_OK;
        }
        if (s != FERRY_OK) s = ferry_within(err, s, "node '%s' (%s)", node->name, node->op->name);
    }
    for (int32_t i = 0; s == FERRY_OK && i < n_outputs; i++) {
        if (graph->nodes[id].outputs[i] == FERRY_NO_VALUE || !out[i].data) continue;
        const ferry_shape shape = ferry_shape_of(out[i].rank, out[i].dims);
        ferry_value_id constant = FERRY_NO_VALUE;
        s = replace_by(graph, id, i, out[i].dtype, &shape, out[i].data, ferry_tensor_bytes(&out[i]), &constant, err);
        if (s == FERRY_OK && i == 0) s = remember_grid(graph, &graph->nodes[id], constant, err);
    }
    if (s == FERRY_OK) {
        ferry_graph_remove_node(graph, id);
        *changed = true;
    }
    ferry_arena_deinit(&results);
    return s;
}

ferry_status ferry_pass_fold(ferry_graph *graph, const ferry_pass_context *context, bool *changed, ferry_error *err)
{
    const size_t n_nodes = graph->n_nodes;
    for (size_t n = 0; n < n_nodes; n++) {
        const ferry_node *node = &graph->nodes[n];
        if (!node->op) continue;
        if (!graph->values[node->outputs[0] == FERRY_NO_VALUE ? 0 : node->outputs[0]].is_output &&
            (ferry_node_is(node, "Shape") || ferry_node_is(node, "Gather") || ferry_node_is(node, "Slice")))
            FERRY_TRY(fold_shape(graph, (ferry_node_id)n, context->scratch, changed, err));
        if (graph->nodes[n].op) FERRY_TRY(fold_constant(graph, (ferry_node_id)n, context, changed, err));
    }
    return FERRY_OK;
}
