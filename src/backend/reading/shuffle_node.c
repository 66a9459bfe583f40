// SPDX-License-Identifier: Apache-2.0
// Recognises a channel shuffle in a graph.
#include "backend/reading/shuffle_node.h"

#include <string.h>

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
    const ferry_value *shape = ferry_node_value(g, reshape, 1);
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
    const ferry_value *value = ferry_node_value(g, node, i);
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
    if (ferry_node_value(g, slice, 4) && (!only_int(g, slice, 4, &step) || step != 1)) return false;
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

// --- At certain shapes
// ------------------------------------------------------------------------------------------------

static bool same_but_channels(const ferry_tensor_desc *a, const ferry_tensor_desc *b)
{
    ferry_tensor_desc other = *b;
    other.dims[1] = a->dims[1];
    return a->dtype == b->dtype && ferry_tensor_desc_same_dims(a, &other) &&
           ferry_tensor_desc_is_dense(b, FERRY_LAYOUT_CHANNELS_LAST);
}

// The outputs of the region in order, with the channels that they hold.
static bool read_cuts(const ferry_region *region, const ferry_tensor_desc *out, int32_t rank, ferry_shuffle *s)
{
    const ferry_graph *g = region->graph;
    int64_t counts[FERRY_SHUFFLE_PARTS], firsts[FERRY_SHUFFLE_PARTS];
    int32_t at = 0;
    if (region->n_nodes == 4) {
        s->count[0] = out[0].dims[1];
        return s->count[0] == s->each * s->parts;
    }
    for (int32_t i = 4; i < region->n_nodes; i++) {
        const ferry_node *cut = &g->nodes[region->nodes[i]];
        const int32_t n = cut->n_outputs;
        if (n < 1 || n > region->n_outputs - at) return false;
        for (int32_t o = 0; o < n; o++) {
            if (region->outputs[at + o] != cut->outputs[o]) return false;
            counts[o] = out[at + o].dims[1];
        }
        if (!ferry_shuffle_cut(g, cut, rank, s->each * s->parts, counts, firsts)) return false;
        memcpy(&s->count[at], counts, (size_t)n * sizeof *counts);
        memcpy(&s->first[at], firsts, (size_t)n * sizeof *firsts);
        at += n;
    }
    return at == region->n_outputs;
}

bool ferry_shuffle_read(const ferry_region *region, const ferry_tensor_desc *in, const ferry_tensor_desc *out,
                        ferry_shuffle *s)
{
    if (!ferry_shuffle_is(region->graph, region->nodes, region->n_nodes) || region->n_inputs < 1 ||
        region->n_outputs < 1 || region->n_outputs > FERRY_SHUFFLE_PARTS || in[0].rank < 3)
        return false;
    *s = (ferry_shuffle){.parts = region->graph->nodes[region->nodes[0]].n_inputs,
                         .outputs = region->n_outputs,
                         .positions = in[0].dims[0],
                         .each = in[0].dims[1],
                         .elem_bytes = ferry_dtype_bytes(in[0].dtype)};
    for (int32_t d = 2; d < in[0].rank; d++) s->positions *= in[0].dims[d];
    for (int32_t i = 0; i < region->n_inputs; i++)
        if (!same_but_channels(&in[0], &in[i]) || in[i].dims[1] != s->each) return false;
    for (int32_t o = 0; o < region->n_outputs; o++)
        if (!same_but_channels(&in[0], &out[o])) return false;
    if (!read_cuts(region, out, in[0].rank, s)) return false;
    for (int32_t o = 0; o < s->outputs; o++) {
        if (s->count[o] % s->parts || s->first[o] % s->parts) return false;
        s->count[o] /= s->parts;
        s->first[o] /= s->parts;
    }
    return s->elem_bytes == 1 || s->elem_bytes == 2 || s->elem_bytes == 4 || s->elem_bytes == 8;
}

ferry_status ferry_shuffle_check_border(const ferry_region *region, const char *tactic, const ferry_tensor_desc *in,
                                        const ferry_tensor_desc *out, ferry_error *err)
{
    for (int32_t i = 0; i < region->n_inputs + region->n_outputs; i++) {
        const ferry_tensor_desc *desc = i < region->n_inputs ? &in[i] : &out[i - region->n_inputs];
        size_t bytes = 0;
        if (desc->bounded || desc->rank < 3 || desc->rank > FERRY_MAX_RANK || !ferry_tensor_desc_bytes(desc, &bytes))
            return ferry_misfit(tactic, "a tensor without a size", err);
    }
    return FERRY_OK;
}

ferry_status ferry_shuffle_offered(const ferry_graph_view *view, ferry_node_id root, const ferry_heap *heap,
                                   ferry_node_id *nodes, int32_t *n_nodes, ferry_shuffle *out, bool *out_found,
                                   ferry_error *err)
{
    const ferry_graph *g = view->graph;
    ferry_region region;
    ferry_arena arena;
    *out_found = false;
    if (!ferry_shuffle_find(view, root, nodes, n_nodes)) return FERRY_OK;
    for (int32_t i = 0; i < *n_nodes; i++)
        if (!ferry_node_is_plain(view, nodes[i])) return FERRY_OK;
    ferry_arena_init(&arena, heap);
    const ferry_status s = ferry_region_make(g, view->user_offsets, view->users, nodes, *n_nodes, &arena, &region, err);
    ferry_tensor_desc x[FERRY_SHUFFLE_PARTS], y[FERRY_SHUFFLE_PARTS];
    bool fits = s == FERRY_OK && region.n_inputs <= FERRY_SHUFFLE_PARTS && region.n_outputs <= FERRY_SHUFFLE_PARTS;
    for (int32_t i = 0; fits && i < region.n_inputs; i++)
        x[i] = ferry_value_describe(&g->values[region.inputs[i]], FERRY_LAYOUT_CHANNELS_LAST);
    for (int32_t i = 0; fits && i < region.n_outputs; i++)
        y[i] = ferry_value_describe(&g->values[region.outputs[i]], FERRY_LAYOUT_CHANNELS_LAST);
    // A constant part is no input of the region.
    for (int32_t i = 0; fits && i < g->nodes[nodes[0]].n_inputs; i++)
        fits = !ferry_node_has_constant(g, &g->nodes[nodes[0]], i);
    *out_found = fits && ferry_shuffle_read(&region, x, y, out);
    ferry_arena_deinit(&arena);
    return s;
}
