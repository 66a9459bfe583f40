// SPDX-License-Identifier: Apache-2.0
// ReduceMean over all spatial dimensions is GlobalAveragePool by another name; INT8 and the backends know the latter.
#include "passes/rewrite.h"

ferry_status ferry_pass_mean_pool(ferry_graph *graph, const ferry_pass_context *context, bool *changed,
                                  ferry_error *err);

static bool reduces_all_spatial(const ferry_graph *graph, const ferry_node *node, ferry_arena *scratch)
{
    const int32_t rank = graph->values[node->inputs[0]].shape.rank;
    const ferry_value_id axes = ferry_rewrite_input(node, 1);
    size_t n = 0;
    bool seen[FERRY_MAX_RANK] = {false};
    if (rank < 3 || !ferry_rewrite_is_constant(graph, axes)) return false;
    const double *a = ferry_rewrite_load(graph, axes, scratch, &n);
    if (!a || n != (size_t)(rank - 2)) return false;
    for (size_t i = 0; i < n; i++) {
        const int32_t axis = (int32_t)a[i] + (a[i] < 0 ? rank : 0);
        if (axis < 2 || axis >= rank || seen[axis]) return false;
        seen[axis] = true;
    }
    return true;
}

static ferry_status rewrite(ferry_graph *graph, ferry_node_id id, ferry_error *err)
{
    const ferry_value_id x = graph->nodes[id].inputs[0], y = graph->nodes[id].outputs[0];
    if (ferry_node_int(&graph->nodes[id], "keepdims", 1) != 0) {
        FERRY_TRY(ferry_rewrite_set_op(graph, id, "", "GlobalAveragePool", err));
        return ferry_rewrite_set_inputs(graph, id, &x, 1, err);
    }
    ferry_value_id pooled = FERRY_NO_VALUE, axes = FERRY_NO_VALUE;
    int64_t which[FERRY_MAX_RANK];
    const int32_t rank = graph->values[x].shape.rank;
    for (int32_t i = 2; i < rank; i++) which[i - 2] = i;
    FERRY_TRY(ferry_rewrite_add_node(graph, "", "GlobalAveragePool", graph->values[y].name, &x, 1,
                                     graph->values[x].dtype, NULL, &pooled, err));
    graph->values[pooled].quant = graph->values[y].quant;
    FERRY_TRY(ferry_graph_add_constant_s64(graph, "axes", which, rank - 2, &axes, err));
    const ferry_value_id inputs[2] = {pooled, axes};
    FERRY_TRY(ferry_rewrite_set_op(graph, id, "", "Squeeze", err));
    return ferry_rewrite_set_inputs(graph, id, inputs, 2, err);
}

ferry_status ferry_pass_mean_pool(ferry_graph *graph, const ferry_pass_context *context, bool *changed,
                                  ferry_error *err)
{
    const size_t n_nodes = graph->n_nodes;
    for (size_t n = 0; n < n_nodes; n++) {
        if (!ferry_node_is(&graph->nodes[n], "ReduceMean") ||
            !ferry_rewrite_is_real(graph->values[graph->nodes[n].inputs[0]].dtype) ||
            !reduces_all_spatial(graph, &graph->nodes[n], context->scratch))
            continue;
        FERRY_TRY(rewrite(graph, (ferry_node_id)n, err));
        *changed = true;
    }
    return FERRY_OK;
}
