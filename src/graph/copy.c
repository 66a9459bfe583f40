// SPDX-License-Identifier: Apache-2.0
// A second graph that shares only the constants with the first: calibration and planning each change their own.
#include "graph/internal.h"

#include <string.h>

static ferry_status copy_values(const ferry_graph *from, ferry_graph *to, ferry_error *err)
{
    for (size_t v = 0; v < from->n_values; v++) {
        const ferry_value *a = &from->values[v];
        ferry_value_id id;
        FERRY_TRY(ferry_graph_add_value(to, a->name, a->dtype, &a->shape, &id, err));
        ferry_value *b = &to->values[id];
        const char *name = b->name;
        *b = *a;
        b->name = name;
        b->is_input = b->is_output = false; // marked again below
        const size_t count = (size_t)a->quant.count;
        if (a->quant.scales) b->quant.scales = ferry_arena_copy(&to->arena, a->quant.scales, count * sizeof(float));
        if (a->quant.zero_points)
            b->quant.zero_points = ferry_arena_copy(&to->arena, a->quant.zero_points, count * sizeof(int32_t));
        if ((a->quant.scales && !b->quant.scales) || (a->quant.zero_points && !b->quant.zero_points))
            return ferry_fail_memory(err, "a copy of a graph");
    }
    for (size_t i = 0; i < from->n_inputs; i++) FERRY_TRY(ferry_graph_mark_input(to, from->inputs[i], err));
    for (size_t i = 0; i < from->n_outputs; i++) FERRY_TRY(ferry_graph_mark_output(to, from->outputs[i], err));
    return FERRY_OK;
}

static ferry_status copy_nodes(const ferry_graph *from, ferry_graph *to, ferry_error *err)
{
    void *table = NULL;
    if (!ferry_heap_reserve(to->heap, &table, &to->cap_nodes, sizeof *to->nodes, from->n_nodes))
        return ferry_fail_memory(err, "a copy of a graph");
    to->nodes = table;
    for (size_t n = 0; n < from->n_nodes; n++) {
        const ferry_node *a = &from->nodes[n];
        ferry_node b = *a;
        b.name = ferry_arena_strdup(&to->arena, a->name);
        b.absorbed = a->absorbed ? ferry_arena_strdup(&to->arena, a->absorbed) : NULL;
        b.inputs = ferry_arena_copy(&to->arena, a->inputs, (size_t)a->n_inputs * sizeof *a->inputs);
        b.outputs = ferry_arena_copy(&to->arena, a->outputs, (size_t)a->n_outputs * sizeof *a->outputs);
        if (!b.name || !b.inputs || !b.outputs || (a->absorbed && !b.absorbed))
            return ferry_fail_memory(err, "a copy of a graph");
        FERRY_TRY(ferry_attrs_copy(to, a->attrs, a->n_attrs, &b.attrs, err));
        to->nodes[to->n_nodes++] = b;
    }
    return FERRY_OK;
}

ferry_status ferry_graph_copy(const ferry_graph *from, ferry_graph *out, ferry_error *err)
{
    ferry_graph to;
    ferry_graph_init(&to, from->heap);
    to.opset = from->opset;
    to.name = ferry_arena_strdup(&to.arena, from->name);
    ferry_status s = to.name ? FERRY_OK : ferry_fail_memory(err, "a copy of a graph");
    for (size_t i = 0; s == FERRY_OK && i < from->n_symbols; i++)
        if (ferry_graph_symbol(&to, from->symbols[i]) != (int32_t)i) s = ferry_fail_memory(err, "a copy of a graph");
    if (s == FERRY_OK) s = copy_values(from, &to, err);
    if (s == FERRY_OK) s = copy_nodes(from, &to, err);
    for (size_t i = 0; s == FERRY_OK && i < from->n_metadata; i++)
        s = ferry_graph_add_metadata(&to, from->metadata[i].key, from->metadata[i].value, err);
    if (s == FERRY_OK) s = ferry_graph_share_kept(from, &to, err);
    if (s != FERRY_OK) {
        ferry_graph_deinit(&to);
        to = (ferry_graph){0};
    }
    *out = to;
    return s;
}
