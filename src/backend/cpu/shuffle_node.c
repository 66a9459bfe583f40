// SPDX-License-Identifier: Apache-2.0
// Recognises a channel shuffle in a graph.
#include "backend/cpu/shuffle.h"
#include "ops/element.h"
#include "ops/op.h"

enum { JOIN, SPREAD, TURN, GATHER, CUTS }; // places of Concat, Reshape, Transpose, Reshape, and what follows

static bool is_cut(const ferry_node *node)
{
    return ferry_node_is(node, "Slice") || ferry_node_is(node, "Split");
}

// Dimension d of the constant shape that a Reshape is given; -1 when it is not written there.
static int64_t target_dim(const ferry_graph *g, const ferry_node *reshape, int32_t d)
{
    const ferry_value *shape = ferry_cpu_value(g, reshape, 1);
    if (!shape || !shape->data || shape->dtype != FERRY_S64 || shape->shape.rank != 1 || d >= shape->shape.dims[0])
        return -1;
    const int64_t dim = ((const int64_t *)shape->data)[d];
    return dim > 0 ? dim : -1;
}

// Whether the node swaps dimensions 1 and 2 and leaves the others.
static bool swaps_channels(const ferry_node *transpose)
{
    const ferry_attr *perm = ferry_node_attr(transpose, "perm");
    if (!perm || perm->kind != FERRY_ATTR_INTS || perm->count < 4) return false;
    for (int32_t i = 0; i < perm->count; i++)
        if (perm->u.ints[i] != (i == 1 ? 2 : i == 2 ? 1 : i)) return false;
    return true;
}

static bool follows(const ferry_graph *g, ferry_node_id node, ferry_node_id maker)
{
    return g->nodes[node].n_inputs > 0 && g->nodes[maker].n_outputs == 1 &&
           g->nodes[node].inputs[0] == g->nodes[maker].outputs[0];
}

bool ferry_shuffle_is(const ferry_graph *g, const ferry_node_id *nodes, int32_t n)
{
    if (n < CUTS || n > FERRY_SHUFFLE_NODES) return false;
    const ferry_node *join = &g->nodes[nodes[JOIN]], *spread = &g->nodes[nodes[SPREAD]];
    if (!ferry_node_is(join, "Concat") || !ferry_node_is(spread, "Reshape") ||
        !ferry_node_is(&g->nodes[nodes[TURN]], "Transpose") || !ferry_node_is(&g->nodes[nodes[GATHER]], "Reshape"))
        return false;
    for (int32_t i = SPREAD; i < n; i++)
        if (!follows(g, nodes[i], nodes[i < CUTS ? i - 1 : GATHER]) || (i >= CUTS && !is_cut(&g->nodes[nodes[i]])))
            return false;
    // The parts become a dimension of their own. That the second Reshape undoes the first follows from sizes: what it
    // makes has the batch and the positions of the parts.
    const int64_t parts = join->n_inputs, each = target_dim(g, spread, 2);
    return parts >= 2 && parts <= FERRY_SHUFFLE_PARTS && ferry_node_int(join, "axis", 0) == 1 &&
           target_dim(g, spread, 1) == parts && each > 0 && swaps_channels(&g->nodes[nodes[TURN]]);
}

// The only element of a constant input of integers; false when it is something else.
static bool only_int(const ferry_graph *g, const ferry_node *node, int32_t i, int64_t *out)
{
    const ferry_value *value = ferry_cpu_value(g, node, i);
    if (!value || !value->data || (value->dtype != FERRY_S64 && value->dtype != FERRY_S32)) return false;
    const ferry_tensor t = ferry_value_tensor(value);
    if (ferry_tensor_elements(&t) != 1) return false;
    *out = ferry_load_s64(&t, 0);
    return true;
}

static bool starts_at(const ferry_graph *g, const ferry_node *slice, int32_t rank, int64_t channels, int64_t *out)
{
    int64_t axis = 0, step = 1;
    if (!only_int(g, slice, 1, out) || !only_int(g, slice, 3, &axis) || (axis != 1 && axis != 1 - rank)) return false;
    if (ferry_cpu_value(g, slice, 4) && (!only_int(g, slice, 4, &step) || step != 1)) return false;
    if (*out < 0) *out += channels;
    return *out >= 0;
}

bool ferry_shuffle_cut(const ferry_graph *graph, const ferry_node *cut, int32_t rank, int64_t channels,
                       const int64_t *counts, int64_t *out_firsts)
{
    int64_t at = 0;
    if (ferry_node_is(cut, "Slice"))
        return starts_at(graph, cut, rank, channels, &out_firsts[0]) && out_firsts[0] <= channels - counts[0];
    const int64_t axis = ferry_node_int(cut, "axis", 0);
    if (axis != 1 && axis != 1 - rank) return false;
    for (int32_t o = 0; o < cut->n_outputs; o++) {
        out_firsts[o] = at;
        if (counts[o] < 0 || counts[o] > channels - at) return false;
        at += counts[o];
    }
    return at == channels;
}

// Appends the readers of `value` to the nodes, when all are cuts and `root` is the last of them.
static bool take_cuts(const ferry_graph_view *view, ferry_value_id value, ferry_node_id root, ferry_node_id *nodes,
                      int32_t *n_nodes)
{
    const int32_t first = view->user_offsets[value], end = view->user_offsets[value + 1];
    if (view->graph->values[value].is_output || end - first > FERRY_SHUFFLE_PARTS) return false;
    for (int32_t u = first; u < end; u++) {
        const ferry_node_id user = view->users[u];
        if (user > root || !is_cut(&view->graph->nodes[user])) return false;
        int32_t at = (*n_nodes)++;
        for (; at > CUTS && nodes[at - 1] > user; at--) nodes[at] = nodes[at - 1];
        nodes[at] = user;
    }
    return nodes[*n_nodes - 1] == root;
}

bool ferry_shuffle_find(const ferry_graph_view *view, ferry_node_id root, ferry_node_id *nodes, int32_t *n_nodes)
{
    const ferry_graph *g = view->graph;
    ferry_node_id at = root;
    *n_nodes = CUTS;
    if (is_cut(&g->nodes[root])) {
        const ferry_value_id whole = g->nodes[root].inputs[0];
        if (whole == FERRY_NO_VALUE || !take_cuts(view, whole, root, nodes, n_nodes)) return false;
        at = g->values[whole].producer;
    }
    for (int32_t i = GATHER; i >= JOIN; i--) {
        if (at == FERRY_NO_NODE || g->nodes[at].n_inputs < 1 || g->nodes[at].inputs[0] == FERRY_NO_VALUE) return false;
        nodes[i] = at;
        const ferry_value_id from = g->nodes[at].inputs[0];
        if (i == JOIN) break;
        // What lies between is for the shuffle alone.
        if (g->values[from].is_output || view->user_offsets[from + 1] - view->user_offsets[from] != 1) return false;
        at = g->values[from].producer;
    }
    return ferry_shuffle_is(g, nodes, *n_nodes);
}
