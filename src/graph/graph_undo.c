// SPDX-License-Identifier: Apache-2.0
// Going back on changes: a graph that people build step by step must be as it was after a step that failed.
#include <string.h>

#include "graph/internal.h"

ferry_graph_mark ferry_graph_here(const ferry_graph *graph)
{
    return (ferry_graph_mark){
        .n_values = graph->n_values,
        .n_nodes = graph->n_nodes,
        .n_symbols = graph->n_symbols,
        .n_inputs = graph->n_inputs,
        .n_outputs = graph->n_outputs,
        .n_metadata = graph->n_metadata,
    };
}

void ferry_graph_take_back(ferry_graph *graph, const ferry_graph_mark *mark)
{
    for (size_t n = mark->n_nodes; n < graph->n_nodes; n++) ferry_graph_remove_node(graph, (ferry_node_id)n);
    for (size_t i = mark->n_inputs; i < graph->n_inputs; i++) graph->values[graph->inputs[i]].is_input = false;
    for (size_t i = mark->n_outputs; i < graph->n_outputs; i++) graph->values[graph->outputs[i]].is_output = false;
    for (size_t v = graph->n_values; v > mark->n_values; v--) ferry_names_remove(graph, (ferry_value_id)(v - 1));
    graph->n_values = mark->n_values;
    graph->n_nodes = mark->n_nodes;
    graph->n_symbols = mark->n_symbols;
    graph->n_inputs = mark->n_inputs;
    graph->n_outputs = mark->n_outputs;
    graph->n_metadata = mark->n_metadata;
}

ferry_status ferry_graph_rename_value(ferry_graph *graph, ferry_value_id value, const char *name, ferry_error *err)
{
    const char *old = graph->values[value].name;
    if (!*name) return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "tensor '%s' needs a name that is not empty", old);
    const ferry_value_id other = ferry_graph_find_value(graph, name);
    if (other == value) return FERRY_OK;
    if (other != FERRY_NO_VALUE)
        return ferry_fail(err, FERRY_ERR_INVALID_ARGUMENT, "tensor '%s' cannot be called '%s': another one is", old,
                          name);
    const char *own = ferry_arena_strdup(&graph->arena, name);
    if (!own) return ferry_fail_memory(err, "a name");
    ferry_names_remove(graph, value);
    graph->values[value].name = own;
    ferry_names_add(graph, value);
    return FERRY_OK;
}

void ferry_graph_unmark_output(ferry_graph *graph, ferry_value_id value)
{
    size_t kept = 0;
    for (size_t i = 0; i < graph->n_outputs; i++)
        if (graph->outputs[i] != value) graph->outputs[kept++] = graph->outputs[i];
    graph->n_outputs = kept;
    graph->values[value].is_output = false;
}
