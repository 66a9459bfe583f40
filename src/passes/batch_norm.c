// SPDX-License-Identifier: Apache-2.0
// Folds BatchNormalization into the convolution before or after it, so that INT8 scales are chosen on the weights that
// really run; what has no such neighbour becomes Mul and Add.
#include <math.h>

#include "passes/linear.h"

ferry_status ferry_pass_batch_norm(ferry_graph *graph, const ferry_pass_context *context, bool *changed,
                                   ferry_error *err);

// y = x * scale + shift per channel. False when the parameters are not constant, or training outputs are wanted.
static bool read_parameters(const ferry_graph *graph, const ferry_node *bn, ferry_arena *scratch, int64_t *out_count,
                            double **out_scale, double **out_shift)
{
    size_t n = 0;
    double *p[4];
    if (ferry_node_int(bn, "training_mode", 0) != 0) return false;
    for (int32_t i = 1; i < bn->n_outputs; i++)
        if (bn->outputs[i] != FERRY_NO_VALUE && ferry_graph_use_count(graph, bn->outputs[i])) return false;
    for (int32_t i = 0; i < 4; i++) {
        size_t count = 0;
        if (!ferry_rewrite_is_constant(graph, ferry_rewrite_input(bn, 1 + i))) return false;
        p[i] = ferry_rewrite_load(graph, bn->inputs[1 + i], scratch, &count);
        if (!p[i] || (i && count != n)) return false;
        n = count;
    }
    const double epsilon = (double)ferry_node_float(bn, "epsilon", 1e-5f);
    for (size_t c = 0; c < n; c++) {
        const double scale = p[0][c] / sqrt(p[3][c] + epsilon);
        if (!isfinite(scale)) return false; // leave strange models as they are
        p[1][c] -= p[2][c] * scale;
        p[0][c] = scale;
    }
    *out_count = (int64_t)n;
    *out_scale = p[0];
    *out_shift = p[1];
    return true;
}

static bool all_zero(const double *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (values[i] != 0.0) return false;
    return true;
}

// Mul and Add with constants of shape [C, 1, 1 ...].
static ferry_status spell_out(ferry_graph *graph, ferry_node_id id, int64_t count, const double *scale,
                              const double *shift, bool *changed, ferry_error *err)
{
    const ferry_value_id x = graph->nodes[id].inputs[0], y = graph->nodes[id].outputs[0];
    const int32_t rank = graph->values[x].shape.rank;
    const ferry_dtype dtype = graph->values[x].dtype;
    if (rank < 2 || !ferry_rewrite_is_real(dtype)) return FERRY_OK;
    int64_t dims[FERRY_MAX_RANK] = {count, 1, 1, 1, 1, 1, 1, 1};
    const ferry_shape shape = ferry_shape_of(rank - 1, dims);
    ferry_value_id constants[2], product = FERRY_NO_VALUE;
    for (int i = 0; i < 2; i++) {
        bool finite = false;
        const char *name = graph->values[graph->nodes[id].inputs[1 + i]].name;
        FERRY_TRY(ferry_rewrite_constant(graph, name, dtype, &shape, i ? shift : scale, (size_t)count, &finite,
                                         &constants[i], err));
        if (!finite) return FERRY_OK;
    }
    const ferry_value_id inputs[2] = {x, constants[0]};
    ferry_node_id mul = FERRY_NO_NODE;
    FERRY_TRY(ferry_rewrite_add_node(graph, "", "Mul", graph->values[y].name, inputs, 2, dtype, &mul, &product, err));
    graph->values[product].shape = graph->values[x].shape;
    const ferry_value_id sum[2] = {product, constants[1]};
    FERRY_TRY(ferry_rewrite_set_op(graph, id, "", "Add", err));
    FERRY_TRY(ferry_rewrite_set_inputs(graph, id, sum, 2, err));
    graph->nodes[id].n_outputs = 1;
    *changed = true;
    return FERRY_OK;
}

static ferry_status fold_one(ferry_graph *graph, ferry_node_id id, ferry_arena *scratch, bool *changed,
                             ferry_error *err)
{
    const ferry_node *bn = &graph->nodes[id];
    int64_t count = 0;
    double *scale = NULL, *shift = NULL;
    if (!read_parameters(graph, bn, scratch, &count, &scale, &shift)) return FERRY_OK;
    ferry_linear linear;
    const ferry_value_id x = bn->inputs[0], y = bn->outputs[0];
    bool done = false;
    if (ferry_linear_of(graph, ferry_rewrite_producer(graph, x), &linear) && ferry_rewrite_only_user(graph, x) == id &&
        linear.out_channels == count && (linear.kind != FERRY_LINEAR_GEMM || graph->values[x].shape.rank == 2)) {
        FERRY_TRY(ferry_linear_scale_outputs(graph, &linear, scale, shift, scratch, &done, err));
        if (done) FERRY_TRY(ferry_rewrite_merge_into(graph, linear.node, id, err));
    }
    if (!done && ferry_linear_of(graph, ferry_rewrite_only_user(graph, y), &linear) &&
        graph->nodes[linear.node].inputs[0] == y && linear.in_channels == count &&
        (linear.kind != FERRY_LINEAR_GEMM ||
         (graph->values[x].shape.rank == 2 && !ferry_node_int(&graph->nodes[linear.node], "transA", 0))) &&
        (all_zero(shift, count) || !ferry_linear_has_borders(graph, &linear))) {
        FERRY_TRY(ferry_linear_scale_inputs(graph, &linear, scale, shift, scratch, &done, err));
        if (done) {
            FERRY_TRY(ferry_rewrite_absorb(graph, linear.node, id, err));
            ferry_graph_replace_uses(graph, y, x);
            ferry_graph_remove_node(graph, id);
        }
    }
    if (done) {
        *changed = true;
        return FERRY_OK;
    }
    return spell_out(graph, id, count, scale, shift, changed, err);
}

ferry_status ferry_pass_batch_norm(ferry_graph *graph, const ferry_pass_context *context, bool *changed,
                                   ferry_error *err)
{
    const size_t n_nodes = graph->n_nodes;
    for (size_t n = 0; n < n_nodes; n++)
        if (ferry_node_is(&graph->nodes[n], "BatchNormalization"))
            FERRY_TRY(fold_one(graph, (ferry_node_id)n, context->scratch, changed, err));
    return FERRY_OK;
}
