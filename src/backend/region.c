// SPDX-License-Identifier: Apache-2.0
// What crosses the border of a region: derived in one place, so that a plan and its backends always agree on the order.
#include "backend/backend.h"

static bool inside(const ferry_node_id *nodes, int32_t n_nodes, ferry_node_id node)
{
    for (int32_t i = 0; i < n_nodes; i++)
        if (nodes[i] == node) return true;
    return false;
}

static bool listed(const ferry_value_id *values, int32_t count, ferry_value_id value)
{
    for (int32_t i = 0; i < count; i++)
        if (values[i] == value) return true;
    return false;
}

static bool used_outside(const ferry_graph *graph, const int32_t *offsets, const ferry_node_id *users,
                         const ferry_node_id *nodes, int32_t n_nodes, ferry_value_id value)
{
    if (graph->values[value].is_output) return true;
    for (int32_t u = offsets[value]; u < offsets[value + 1]; u++)
        if (!inside(nodes, n_nodes, users[u])) return true;
    return false;
}

ferry_status ferry_region_make(const ferry_graph *graph, const int32_t *offsets, const ferry_node_id *users,
                               const ferry_node_id *nodes, int32_t n_nodes, ferry_arena *arena, ferry_region *out,
                               ferry_error *err)
{
    size_t most_in = 0, most_out = 0;
    for (int32_t i = 0; i < n_nodes; i++) {
        most_in += (size_t)graph->nodes[nodes[i]].n_inputs;
        most_out += (size_t)graph->nodes[nodes[i]].n_outputs;
    }
    ferry_value_id *inputs = ferry_arena_alloc_array(arena, most_in, sizeof *inputs);
    ferry_value_id *outputs = ferry_arena_alloc_array(arena, most_out, sizeof *outputs);
    ferry_node_id *copy = ferry_arena_copy(arena, nodes, (size_t)n_nodes * sizeof *nodes);
    if (!inputs || !outputs || !copy) return ferry_fail_memory(err, "a region");
    int32_t n_in = 0, n_out = 0;
    for (int32_t i = 0; i < n_nodes; i++) {
        const ferry_node *node = &graph->nodes[nodes[i]];
        for (int32_t k = 0; k < node->n_inputs; k++) {
            const ferry_value_id v = node->inputs[k];
            if (v == FERRY_NO_VALUE || ferry_value_is_constant(&graph->values[v])) continue;
            const ferry_node_id producer = graph->values[v].producer;
            if (producer != FERRY_NO_NODE && inside(nodes, n_nodes, producer)) continue;
            if (!listed(inputs, n_in, v)) inputs[n_in++] = v;
        }
        for (int32_t k = 0; k < node->n_outputs; k++) {
            const ferry_value_id v = node->outputs[k];
            if (v != FERRY_NO_VALUE && used_outside(graph, offsets, users, nodes, n_nodes, v)) outputs[n_out++] = v;
        }
    }
    *out = (ferry_region){.graph = graph,
                          .nodes = copy,
                          .n_nodes = n_nodes,
                          .inputs = inputs,
                          .outputs = outputs,
                          .n_inputs = n_in,
                          .n_outputs = n_out};
    return FERRY_OK;
}
