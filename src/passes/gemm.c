// SPDX-License-Identifier: Apache-2.0
// Turns Gemm and MatMul with constant 2-D weights into ferry.FusedGemm; alpha and beta go into weights and bias.
#include "passes/linear.h"

ferry_status ferry_pass_gemm(ferry_graph *graph, const ferry_pass_context *context, bool *changed, ferry_error *err);

static ferry_status convert_gemm(ferry_graph *graph, ferry_node_id id, ferry_arena *scratch, bool *changed,
                                 ferry_error *err)
{
    const ferry_node *node = &graph->nodes[id];
    const ferry_value_id w = node->inputs[1], c = ferry_rewrite_input(node, 2);
    const double alpha = (double)ferry_node_float(node, "alpha", 1.0f),
                 beta = (double)ferry_node_float(node, "beta", 1.0f);
    const bool trans_b = ferry_node_int(node, "transB", 0) != 0;
    const ferry_dtype dtype = graph->values[node->inputs[0]].dtype;
    if (!ferry_rewrite_is_constant(graph, w) || graph->values[w].shape.rank != 2 || !ferry_rewrite_is_real(dtype) ||
        graph->values[node->inputs[0]].shape.rank != 2)
        return FERRY_OK;
    const int64_t columns = graph->values[w].shape.dims[trans_b ? 0 : 1];
    const ferry_shape bias_shape = ferry_shape_of(1, &columns);
    ferry_value_id bias = FERRY_NO_VALUE;
    bool finite = true;
    if (c != FERRY_NO_VALUE && beta != 0.0) {
        double *values = ferry_rewrite_per_channel(graph, c, 2, 1, columns, scratch);
        if (!values) return FERRY_OK;
        for (int64_t i = 0; i < columns; i++) values[i] *= beta;
        FERRY_TRY(ferry_rewrite_constant(graph, graph->values[c].name, dtype, &bias_shape, values, (size_t)columns,
                                         &finite, &bias, err));
        if (!finite) return FERRY_OK;
    }
    const ferry_value_id inputs[3] = {node->inputs[0], w, bias};
    if (alpha != 1.0) { // before the bias is attached, which alpha does not touch
        const ferry_value_id two[2] = {node->inputs[0], w};
        double *scale = ferry_arena_alloc_array(scratch, (size_t)columns, sizeof *scale);
        double *zero = ferry_arena_alloc_array(scratch, (size_t)columns, sizeof *zero);
        if (!scale || !zero) return ferry_fail_memory(err, "folding alpha");
        for (int64_t i = 0; i < columns; i++) scale[i] = alpha;
        FERRY_TRY(ferry_rewrite_set_op(graph, id, "ferry", "FusedGemm", err));
        FERRY_TRY(ferry_rewrite_set_inputs(graph, id, two, 2, err));
        ferry_linear linear;
        bool done = false;
        if (ferry_linear_of(graph, id, &linear))
            FERRY_TRY(ferry_linear_scale_outputs(graph, &linear, scale, zero, scratch, &done, err));
        if (!done) return ferry_fail(err, FERRY_ERR_BAD_MODEL, "alpha %g makes weights that are not finite", alpha);
        if (bias != FERRY_NO_VALUE) FERRY_TRY(ferry_rewrite_set_input(graph, id, 2, bias, err));
    } else {
        FERRY_TRY(ferry_rewrite_set_op(graph, id, "ferry", "FusedGemm", err));
        FERRY_TRY(ferry_rewrite_set_inputs(graph, id, inputs, bias == FERRY_NO_VALUE ? 2 : 3, err));
    }
    *changed = true;
    return FERRY_OK;
}

static ferry_status convert_matmul(ferry_graph *graph, ferry_node_id id, bool *changed, ferry_error *err)
{
    const ferry_node *node = &graph->nodes[id];
    const ferry_value_id a = node->inputs[0], w = node->inputs[1];
    if (!ferry_rewrite_is_constant(graph, w) || graph->values[w].shape.rank != 2 || graph->values[a].shape.rank < 2 ||
        !ferry_rewrite_is_real(graph->values[a].dtype))
        return FERRY_OK;
    FERRY_TRY(ferry_rewrite_set_op(graph, id, "ferry", "FusedGemm", err));
    *changed = true;
    return FERRY_OK;
}

ferry_status ferry_pass_gemm(ferry_graph *graph, const ferry_pass_context *context, bool *changed, ferry_error *err)
{
    for (size_t n = 0; n < graph->n_nodes; n++) {
        if (ferry_node_is(&graph->nodes[n], "Gemm"))
            FERRY_TRY(convert_gemm(graph, (ferry_node_id)n, context->scratch, changed, err));
        else if (ferry_node_is(&graph->nodes[n], "MatMul"))
            FERRY_TRY(convert_matmul(graph, (ferry_node_id)n, changed, err));
    }
    return FERRY_OK;
}
