// SPDX-License-Identifier: Apache-2.0
// The grid that each INT8 tensor is rounded to. Tensors joined by nodes that only move elements form a group with one
// grid; a group whose elements reach further to one side than to the other gets a zero point, so that no code is spent
// on what never occurs (docs/INT8.md, "Scales").
#include <math.h>
#include <string.h>

#include "passes/bounds.h"
#include "passes/choose.h"

#define CONCAT_RATIO 4.0f
#define MOSTLY 0.95 // of the other side: a zero point would win less than a fortieth of the step

static int32_t root_of(int32_t *parent, int32_t v)
{
    while (parent[v] != v) v = parent[v] = parent[parent[v]];
    return v;
}

static bool has_other_int8_reader(const ferry_chooser *c, ferry_value_id v, ferry_node_id than)
{
    for (int32_t u = c->offsets[v]; u < c->offsets[v + 1]; u++)
        if (c->users[u] != than && c->int8[c->users[u]] && ferry_chooser_takes_int8(c, c->users[u], v)) return true;
    return false;
}

// The input of a Concat stays apart, and is converted there, where the common scale would cost its other readers more
// than two bits.
static bool stays_apart(const ferry_chooser *c, ferry_node_id n, ferry_value_id x)
{
    const ferry_node *node = &c->graph->nodes[n];
    if (!ferry_node_is(node, "Concat") || !has_other_int8_reader(c, x, n)) return false;
    float most = c->scales[node->outputs[0]];
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (c->scales[node->inputs[i]] > most) most = c->scales[node->inputs[i]];
    return most >= CONCAT_RATIO * c->scales[x];
}

typedef struct group {
    float scale;    // the largest among the members', or the one that is fixed
    double low;     // none of them goes below
    bool fixed;     // a Q/DQ pair gave scale and zero point: they are part of the model, and not widened for others
    bool symmetric; // something reads or makes a member that takes no zero point
    int32_t zero;
} group;

typedef struct groups {
    int32_t *parent;
    group *of; // [n_values]: of each root
} groups;

// False when pairs gave both a grid, and different ones.
static bool join(groups *g, ferry_value_id a, ferry_value_id b)
{
    const int32_t x = root_of(g->parent, a), y = root_of(g->parent, b);
    const group from = g->of[x];
    group *into = &g->of[y];
    if (x == y) return true;
    if (from.fixed && into->fixed && (from.scale != into->scale || from.zero != into->zero)) return false;
    g->parent[x] = y;
    if (from.fixed || (!into->fixed && from.scale > into->scale)) {
        into->scale = from.scale;
        into->zero = from.zero;
    }
    into->fixed |= from.fixed;
    into->symmetric |= from.symmetric;
    into->low = fmin(into->low, from.low);
    return true;
}

static void join_moved(ferry_chooser *c, ferry_node_id n, groups *g)
{
    const ferry_node *node = &c->graph->nodes[n];
    int32_t in[FERRY_INT8_MOST_INPUTS];
    const int32_t count = ferry_int8_inputs(c->kinds[n], node, in, FERRY_INT8_MOST_INPUTS);
    ferry_value_id first = FERRY_NO_VALUE;
    for (int32_t o = 0; o < node->n_outputs; o++) {
        if (node->outputs[o] == FERRY_NO_VALUE) continue;
        if (first == FERRY_NO_VALUE) first = node->outputs[o];
        if (join(g, node->outputs[o], first)) continue;
        c->int8[n] = false; // its parts are rounded differently
        return;
    }
    for (int32_t i = 0; i < count; i++)
        if (!stays_apart(c, n, node->inputs[in[i]])) join(g, node->inputs[in[i]], first);
}

static ferry_status make_groups(ferry_chooser *c, groups *g, ferry_error *err)
{
    const ferry_graph *graph = c->graph;
    const ferry_bounds *bounds = NULL;
    *g = (groups){.parent = ferry_arena_alloc_array(&c->scratch, graph->n_values + 1, sizeof *g->parent),
                  .of = ferry_arena_alloc_array(&c->scratch, graph->n_values + 1, sizeof *g->of)};
    if (!g->parent || !g->of) return ferry_fail_memory(err, "groups of scales");
    FERRY_TRY(ferry_bounds_find(graph, &c->scratch, &bounds, err));
    for (size_t v = 0; v < graph->n_values; v++) {
        g->parent[v] = (int32_t)v;
        g->of[v] = (group){.scale = c->scales[v],
                           .zero = c->zeros[v],
                           .low = bounds[v].low,
                           .fixed = c->scales[v] > 0.0f && ferry_rewrite_is_rounded(graph, (ferry_value_id)v)};
    }
    for (size_t n = 0; n < graph->n_nodes; n++) {
        const ferry_node *node = &graph->nodes[n];
        if (!c->int8[n]) continue;
        for (int32_t i = 0; i < node->n_inputs; i++)
            if (node->inputs[i] != FERRY_NO_VALUE && !ferry_int8_takes_zero(c->kinds[n], node, i))
                g->of[node->inputs[i]].symmetric = true;
        if (!ferry_int8_makes_zero(c->kinds[n], node)) g->of[node->outputs[0]].symmetric = true;
    }
    return FERRY_OK;
}

// [-127, 127] * scale becomes [low, 127 * scale], all 256 codes used. Zero stays an element of the grid: padding.
static void set_zero(group *g)
{
    const double most = 127.0 * (double)g->scale, low = g->low > 0.0 ? 0.0 : g->low;
    if (g->fixed || g->symmetric || !(g->scale > 0.0f) || !(low > -MOSTLY * most)) return;
    const float scale = (float)((most - low) / 255.0);
    if (!(scale >= 0x1p-30f)) return;
    g->scale = scale;
    g->zero = (int32_t)rint(-128.0 - low / (double)scale);
}

ferry_status ferry_choose_groups(ferry_chooser *c, ferry_error *err)
{
    groups g;
    FERRY_TRY(make_groups(c, &g, err));
    for (size_t n = 0; n < c->graph->n_nodes; n++)
        if (c->int8[n] && c->kinds[n] == FERRY_INT8_MOVE) join_moved(c, (ferry_node_id)n, &g);
    for (size_t v = 0; v < c->graph->n_values; v++)
        if (c->options->zero_points && g.parent[v] == (int32_t)v) set_zero(&g.of[v]);
    for (size_t v = 0; v < c->graph->n_values; v++) {
        if (!(c->scales[v] > 0.0f)) continue;
        const group *of = &g.of[root_of(g.parent, (int32_t)v)];
        c->scales[v] = of->scale;
        c->zeros[v] = of->zero;
    }
    for (size_t n = 0; n < c->graph->n_nodes; n++) {
        const char *name = NULL, *why = c->int8[n] ? ferry_chooser_unfit_zero(c, n, &name) : NULL;
        if (!why) continue;
        c->int8[n] = false;
        ferry_report_add(c->report, FERRY_SEVERITY_INFO, name, "%s", why);
    }
    return FERRY_OK;
}
