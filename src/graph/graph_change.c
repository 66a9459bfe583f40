// SPDX-License-Identifier: Apache-2.0
// Changing a graph: replacing uses, removing nodes, and sweeping and sorting what is left.
#include "graph/internal.h"

#include <stdio.h>
#include <string.h>

bool ferry_graph_can_replace(const ferry_graph *graph, ferry_value_id from, ferry_value_id to)
{
    return !graph->values[from].is_output || !(graph->values[to].is_output || graph->values[to].is_input);
}

void ferry_graph_replace_uses(ferry_graph *graph, ferry_value_id from, ferry_value_id to)
{
    if (from == to) return;
    for (size_t n = 0; n < graph->n_nodes; n++) {
        if (!graph->nodes[n].op) continue;
        for (int32_t i = 0; i < graph->nodes[n].n_inputs; i++)
            if (graph->nodes[n].inputs[i] == from) graph->nodes[n].inputs[i] = to;
    }
    if (!graph->values[from].is_output || !ferry_graph_can_replace(graph, from, to)) return;
    for (size_t i = 0; i < graph->n_outputs; i++)
        if (graph->outputs[i] == from) graph->outputs[i] = to;
    graph->values[from].is_output = false;
    graph->values[to].is_output = true;
    ferry_names_swap(graph, from, to);
}

void ferry_graph_remove_node(ferry_graph *graph, ferry_node_id node)
{
    ferry_node *n = &graph->nodes[node];
    for (int32_t i = 0; i < n->n_outputs; i++) {
        if (n->outputs[i] == FERRY_NO_VALUE) continue;
        ferry_value *v = &graph->values[n->outputs[i]];
        if (v->producer == node) v->producer = FERRY_NO_NODE;
    }
    n->op = NULL;
}

size_t ferry_graph_use_count(const ferry_graph *graph, ferry_value_id value)
{
    size_t count = graph->values[value].is_output ? 1 : 0;
    for (size_t n = 0; n < graph->n_nodes; n++) {
        if (!graph->nodes[n].op) continue;
        for (int32_t i = 0; i < graph->nodes[n].n_inputs; i++) count += graph->nodes[n].inputs[i] == value;
    }
    return count;
}

ferry_node_id ferry_graph_only_user(const ferry_graph *graph, ferry_value_id value)
{
    if (graph->values[value].is_output) return FERRY_NO_NODE;
    ferry_node_id user = FERRY_NO_NODE;
    for (size_t n = 0; n < graph->n_nodes; n++) {
        if (!graph->nodes[n].op) continue;
        for (int32_t i = 0; i < graph->nodes[n].n_inputs; i++) {
            if (graph->nodes[n].inputs[i] != value) continue;
            if (user != FERRY_NO_NODE && user != (ferry_node_id)n) return FERRY_NO_NODE;
            user = (ferry_node_id)n;
        }
    }
    return user;
}

ferry_status ferry_graph_users(const ferry_graph *graph, ferry_arena *arena, int32_t **out_offsets,
                               ferry_node_id **out_users, ferry_error *err)
{
    int32_t *offsets = ferry_arena_alloc_array(arena, graph->n_values + 1, sizeof *offsets);
    if (!offsets) return ferry_fail_memory(err, "lists of users");
    size_t total = 0;
    for (size_t n = 0; n < graph->n_nodes; n++) {
        if (!graph->nodes[n].op) continue;
        for (int32_t i = 0; i < graph->nodes[n].n_inputs; i++) {
            if (graph->nodes[n].inputs[i] == FERRY_NO_VALUE) continue;
            offsets[graph->nodes[n].inputs[i] + 1]++;
            total++;
        }
    }
    ferry_node_id *users = total > INT32_MAX ? NULL : ferry_arena_alloc_array(arena, total, sizeof *users);
    if (!users) return ferry_fail_memory(err, "lists of users");
    for (size_t v = 0; v < graph->n_values; v++) offsets[v + 1] += offsets[v];
    // Filled from the back, so that each list's start comes down to its final place and users stay in order.
    for (size_t v = 0; v < graph->n_values; v++) offsets[v] = offsets[v + 1];
    for (size_t n = graph->n_nodes; n-- > 0;) {
        if (!graph->nodes[n].op) continue;
        for (int32_t i = graph->nodes[n].n_inputs; i-- > 0;) {
            const ferry_value_id v = graph->nodes[n].inputs[i];
            if (v != FERRY_NO_VALUE) users[--offsets[v]] = (ferry_node_id)n;
        }
    }
    *out_offsets = offsets;
    *out_users = users;
    return FERRY_OK;
}
