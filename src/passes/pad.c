// SPDX-License-Identifier: Apache-2.0
// A Pad of zeros before a convolution, or before an average pooling that counts its padding, becomes part of it.
#include <string.h>

#include "passes/rewrite.h"

ferry_status ferry_pass_pad(ferry_graph *graph, const ferry_pass_context *context, bool *changed, ferry_error *err);

// Spatial pads [2 * (rank - 2)] of a constant zero Pad; false for any other.
static bool read_pads(const ferry_graph *graph, const ferry_node *node, ferry_arena *scratch, int64_t *out)
{
    const int32_t rank = graph->values[node->inputs[0]].shape.rank;
    double value = 0;
    if (rank < 3 || strcmp(ferry_node_string(node, "mode", "constant"), "constant") != 0) return false;
    const ferry_value_id fill = ferry_rewrite_input(node, 2), axes = ferry_rewrite_input(node, 3);
    if (fill != FERRY_NO_VALUE && (!ferry_rewrite_scalar(graph, fill, &value) || value != 0.0)) return false;
    if (!ferry_rewrite_is_constant(graph, ferry_rewrite_input(node, 1))) return false;
    size_t n = 0, n_axes = (size_t)rank;
    const double *pads = ferry_rewrite_load(graph, node->inputs[1], scratch, &n), *which = NULL;
    if (axes != FERRY_NO_VALUE) {
        if (!ferry_rewrite_is_constant(graph, axes)) return false;
        which = ferry_rewrite_load(graph, axes, scratch, &n_axes);
        if (!which) return false;
    }
    if (!pads || n != 2 * n_axes) return false;
    memset(out, 0, 2 * (size_t)(rank - 2) * sizeof *out);
    for (size_t i = 0; i < n_axes; i++) {
        const int32_t axis = which ? (int32_t)which[i] + (which[i] < 0 ? rank : 0) : (int32_t)i;
        if (pads[i] < 0 || pads[n_axes + i] < 0 || axis < 0 || axis >= rank) return false;
        if (axis < 2) {
            if (pads[i] != 0 || pads[n_axes + i] != 0) return false;
            continue;
        }
        out[axis - 2] = (int64_t)pads[i];
        out[rank - 2 + axis - 2] = (int64_t)pads[n_axes + i];
    }
    return true;
}

static ferry_status absorb(ferry_graph *graph, ferry_node_id id, ferry_arena *scratch, bool *changed, ferry_error *err)
{
    const ferry_node *pad = &graph->nodes[id];
    const ferry_node_id user = ferry_rewrite_only_user(graph, pad->outputs[0]);
    int64_t pads[2 * FERRY_MAX_RANK];
    if (user == FERRY_NO_NODE || graph->nodes[user].inputs[0] != pad->outputs[0] ||
        !read_pads(graph, pad, scratch, pads))
        return FERRY_OK;
    const ferry_node *node = &graph->nodes[user];
    const int32_t n_spatial = graph->values[pad->inputs[0]].shape.rank - 2;
    const bool conv = ferry_node_is(node, "Conv") || ferry_node_is(node, "FusedConv");
    int32_t n_own = 0;
    const int64_t *own = ferry_node_ints(node, "pads", &n_own);
    const char *auto_pad = ferry_node_string(node, "auto_pad", "NOTSET");
    if ((!conv && !ferry_node_is(node, "AveragePool")) ||
        (strcmp(auto_pad, "NOTSET") != 0 && strcmp(auto_pad, "VALID") != 0))
        return FERRY_OK;
    bool own_zero = true;
    if (strcmp(auto_pad, "VALID") == 0) own = NULL;
    for (int32_t i = 0; own && i < n_own; i++) own_zero = own_zero && own[i] == 0;
    if (!conv && ((!own_zero && !ferry_node_int(node, "count_include_pad", 0)) || ferry_node_int(node, "ceil_mode", 0)))
        return FERRY_OK;
    for (int32_t i = 0; i < 2 * n_spatial; i++) pads[i] += own && i < n_own ? own[i] : 0;
    FERRY_TRY(ferry_rewrite_set_ints(graph, user, "pads", pads, 2 * n_spatial, err));
    if (ferry_node_attr(&graph->nodes[user], "auto_pad"))
        FERRY_TRY(ferry_rewrite_set_string(graph, user, "auto_pad", "NOTSET", err));
    if (!conv) FERRY_TRY(ferry_rewrite_set_int(graph, user, "count_include_pad", 1, err));
    FERRY_TRY(ferry_rewrite_absorb(graph, user, id, err));
    ferry_graph_replace_uses(graph, graph->nodes[id].outputs[0], graph->nodes[id].inputs[0]);
    ferry_graph_remove_node(graph, id);
    *changed = true;
    return FERRY_OK;
}

ferry_status ferry_pass_pad(ferry_graph *graph, const ferry_pass_context *context, bool *changed, ferry_error *err)
{
    for (size_t n = 0; n < graph->n_nodes; n++)
        if (ferry_node_is(&graph->nodes[n], "Pad"))
            FERRY_TRY(absorb(graph, (ferry_node_id)n, context->scratch, changed, err));
    return FERRY_OK;
}
