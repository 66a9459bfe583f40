// SPDX-License-Identifier: Apache-2.0
// Removes what nothing reads and what changes nothing, so that later passes see neighbours as neighbours.
#include <string.h>

#include "passes/rewrite.h"

ferry_status ferry_pass_dead(ferry_graph *graph, const ferry_pass_context *context, bool *changed, ferry_error *err);

static bool is_used(const ferry_graph *graph, const int32_t *uses, const ferry_node *node)
{
    for (int32_t i = 0; i < node->n_outputs; i++) {
        const ferry_value_id v = node->outputs[i];
        if (v != FERRY_NO_VALUE && (uses[v] > 0 || graph->values[v].is_output)) return true;
    }
    return false;
}

static ferry_status sweep(ferry_graph *graph, ferry_arena *scratch, bool *changed, ferry_error *err)
{
    int32_t *uses = ferry_arena_alloc_array(scratch, graph->n_values + 1, sizeof *uses);
    if (!uses) return ferry_fail_memory(err, "use counts");
    for (size_t n = 0; n < graph->n_nodes; n++)
        for (int32_t i = 0; graph->nodes[n].op && i < graph->nodes[n].n_inputs; i++)
            if (graph->nodes[n].inputs[i] != FERRY_NO_VALUE) uses[graph->nodes[n].inputs[i]]++;
    for (size_t n = graph->n_nodes; n-- > 0;) { // from the end: a removed reader frees what it read
        const ferry_node *node = &graph->nodes[n];
        if (!node->op || is_used(graph, uses, node)) continue;
        for (int32_t i = 0; i < node->n_inputs; i++)
            if (node->inputs[i] != FERRY_NO_VALUE) uses[node->inputs[i]]--;
        ferry_graph_remove_node(graph, (ferry_node_id)n);
        *changed = true;
    }
    return FERRY_OK;
}

static bool has_one_input(const ferry_node *node)
{
    for (int32_t i = 1; i < node->n_inputs; i++)
        if (node->inputs[i] != FERRY_NO_VALUE) return false;
    return true;
}

static bool all_zero(const ferry_graph *graph, ferry_value_id value, ferry_arena *scratch)
{
    size_t n = 0;
    if (!ferry_rewrite_is_constant(graph, value)) return false;
    const double *d = ferry_rewrite_load(graph, value, scratch, &n);
    if (!d) return false;
    for (size_t i = 0; i < n; i++)
        if (d[i] != 0.0) return false;
    return true;
}

static bool keeps_order(const ferry_node *node)
{
    int32_t count = 0;
    const int64_t *perm = ferry_node_ints(node, "perm", &count);
    for (int32_t i = 0; i < count; i++)
        if (perm[i] != i) return false;
    return perm != NULL;
}

// Adding 0, or multiplying by 1, without widening the shape.
static bool is_neutral_arithmetic(const ferry_graph *graph, const ferry_node *node, ferry_value_id *out_same)
{
    const bool adds = ferry_node_is(node, "Add"), multiplies = ferry_node_is(node, "Mul");
    double s = 0;
    if (adds || multiplies) {
        if (!ferry_rewrite_with_scalar(graph, node, &s, out_same)) return false;
        return s == (adds ? 0.0 : 1.0);
    }
    if ((ferry_node_is(node, "Sub") || ferry_node_is(node, "Div")) && node->n_inputs == 2 &&
        ferry_rewrite_scalar(graph, node->inputs[1], &s)) {
        *out_same = node->inputs[0];
        return s == (ferry_node_is(node, "Sub") ? 0.0 : 1.0);
    }
    return false;
}

// The input that the node's output equals, or FERRY_NO_VALUE.
static ferry_value_id same_as(const ferry_graph *graph, const ferry_node *node, ferry_arena *scratch)
{
    const ferry_value_id x = ferry_rewrite_input(node, 0), y = node->outputs[0];
    ferry_value_id other = FERRY_NO_VALUE;
    if (x == FERRY_NO_VALUE || y == FERRY_NO_VALUE) return FERRY_NO_VALUE;
    for (int32_t i = 1; i < node->n_outputs; i++) // Dropout's mask
        if (node->outputs[i] != FERRY_NO_VALUE && ferry_graph_use_count(graph, node->outputs[i])) return FERRY_NO_VALUE;
    if (ferry_node_is(node, "Identity")) return x;
    double s = 0;
    if (ferry_node_is(node, "Dropout")) {
        const ferry_value_id mode = ferry_rewrite_input(node, 2);
        return mode == FERRY_NO_VALUE || (ferry_rewrite_scalar(graph, mode, &s) && s == 0.0) ? x : FERRY_NO_VALUE;
    }
    if (ferry_node_is(node, "Cast"))
        return graph->values[x].dtype != FERRY_DTYPE_NONE && graph->values[x].dtype == graph->values[y].dtype
                   ? x
                   : FERRY_NO_VALUE;
    if (ferry_node_is(node, "Concat") || ferry_node_is(node, "Sum") || ferry_node_is(node, "Mean") ||
        ferry_node_is(node, "Max") || ferry_node_is(node, "Min"))
        return has_one_input(node) ? x : FERRY_NO_VALUE;
    if (ferry_node_is(node, "Transpose")) return keeps_order(node) ? x : FERRY_NO_VALUE;
    if (ferry_node_is(node, "Pad")) return all_zero(graph, ferry_rewrite_input(node, 1), scratch) ? x : FERRY_NO_VALUE;
    if (is_neutral_arithmetic(graph, node, &other))
        return graph->values[other].dtype == graph->values[y].dtype && ferry_rewrite_same_shape(graph, other, y)
                   ? other
                   : FERRY_NO_VALUE;
    const bool keeps_elements = ferry_node_is(node, "Reshape") || ferry_node_is(node, "Expand") ||
                                ferry_node_is(node, "Flatten") || ferry_node_is(node, "Tile") ||
                                (ferry_node_is(node, "Slice") && ferry_shape_is_known(&graph->values[x].shape));
    if (!keeps_elements || !ferry_rewrite_same_shape(graph, x, y)) return FERRY_NO_VALUE;
    if (ferry_node_is(node, "Slice")) { // a slice of full size may still run backwards
        size_t n = 0;
        const ferry_value_id steps = ferry_rewrite_input(node, 4);
        if (steps == FERRY_NO_VALUE) return x;
        if (!ferry_rewrite_is_constant(graph, steps)) return FERRY_NO_VALUE;
        const double *d = ferry_rewrite_load(graph, steps, scratch, &n);
        for (size_t i = 0; i < n; i++)
            if (!d || d[i] < 0) return FERRY_NO_VALUE;
    }
    return x;
}

ferry_status ferry_pass_dead(ferry_graph *graph, const ferry_pass_context *context, bool *changed, ferry_error *err)
{
    for (size_t n = 0; n < graph->n_nodes; n++) {
        if (!graph->nodes[n].op) continue;
        const ferry_value_id same = same_as(graph, &graph->nodes[n], context->scratch);
        if (same == FERRY_NO_VALUE ||
            (graph->values[graph->nodes[n].outputs[0]].is_output && ferry_rewrite_is_constant(graph, same)))
            continue;
        if (ferry_rewrite_bypass(graph, (ferry_node_id)n, same)) *changed = true;
    }
    return sweep(graph, context->scratch, changed, err);
}
