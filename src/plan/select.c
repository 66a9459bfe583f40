// SPDX-License-Identifier: Apache-2.0
// Chooses regions and layouts from costs.
//
// Covering: from the last node back, the region that saves most against running its parts. Layouts: sweeps
// in which each region takes its best candidate given its neighbours' layouts, conversions counted. A tie takes the
// producer's layout, so that a needed conversion moves down a chain until it meets another and both vanish.
#include <math.h>

#include "plan/select.h"

#define SWEEPS 6
#define MOST_PARTS 16 // nodes of a region whose parts are compared with it

double ferry_reformat_cost_us(const ferry_graph *graph, ferry_value_id value)
{
    ferry_tensor_desc desc;
    size_t bytes = 0;
    if (graph->values[value].shape.rank < 3) return 0;
    if (!ferry_value_desc(graph, value, FERRY_LAYOUT_PLAIN, &desc) || !ferry_tensor_desc_bytes(&desc, &bytes))
        return 10;
    // Read and written once at a few GB/s: transposing runs well under the memory's speed.
    return 2 + (double)bytes * 2 / 4e3;
}

static double best_single(const ferry_planner *p, ferry_node_id node)
{
    double best = INFINITY;
    const ferry_candidate_list *list = &p->candidates[node];
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].n_nodes == 1 && !list->items[i].dropped && list->items[i].cost_us < best)
            best = list->items[i].cost_us;
    return best;
}

// Which of the nodes of `whole` candidate `c` runs, a bit each; 0 when it runs others too.
static uint64_t part_of(const ferry_candidate *whole, const ferry_candidate *c)
{
    uint64_t bits = 0;
    int32_t at = 0;
    for (int32_t i = 0; i < c->n_nodes; i++, at++) {
        while (at < whole->n_nodes && whole->nodes[at] != c->nodes[i]) at++;
        if (at == whole->n_nodes) return 0;
        bits |= (uint64_t)1 << at;
    }
    return bits;
}

// The least that those nodes of `whole` cost that `left` has a bit for, in regions smaller than `whole`.
static double cost_of_parts(const ferry_planner *p, const ferry_candidate *whole, uint64_t left)
{
    if (!left) return 0;
    int32_t last = whole->n_nodes - 1;
    while (!(left >> last & 1)) last--;
    const ferry_node_id node = whole->nodes[last];
    if (ferry_planner_is_view(p, node)) return cost_of_parts(p, whole, left & ~((uint64_t)1 << last));
    const ferry_candidate_list *list = &p->candidates[node];
    double least = INFINITY;
    for (size_t i = 0; i < list->count; i++) {
        const ferry_candidate *c = &list->items[i];
        if (c->dropped || c->n_nodes >= whole->n_nodes) continue;
        const uint64_t part = part_of(whole, c);
        if (!part || (part & ~left)) continue;
        const double cost = c->cost_us + cost_of_parts(p, whole, left & ~part);
        if (cost < least) least = cost;
    }
    return least;
}

// What running the candidate's nodes costs without it. Regions of more nodes than there are bits have no rival.
static double cost_without(const ferry_planner *p, const ferry_candidate *c)
{
    if (c->n_nodes == 1) return best_single(p, c->nodes[0]);
    return c->n_nodes > MOST_PARTS ? INFINITY : cost_of_parts(p, c, ((uint64_t)1 << c->n_nodes) - 1);
}

static bool is_free(const ferry_planner *p, const ferry_candidate *c)
{
    for (int32_t i = 0; i < c->n_nodes; i++)
        if (p->root[c->nodes[i]] != FERRY_NO_NODE) return false;
    return true;
}

static ferry_status cover(ferry_planner *p, ferry_error *err)
{
    for (ferry_node_id id = (ferry_node_id)p->graph->n_nodes - 1; id >= 0; id--) {
        if (p->root[id] != FERRY_NO_NODE) continue;
        const bool view = ferry_planner_is_view(p, id);
        const ferry_candidate_list *list = &p->candidates[id];
        double most = view ? 0 : -INFINITY; // a view without a region costs nothing
        for (size_t i = 0; i < list->count; i++) {
            const ferry_candidate *c = &list->items[i];
            if (c->dropped || !is_free(p, c)) continue;
            const double without = cost_without(p, c);
            const double saved = (isfinite(without) ? without : 1e9) - c->cost_us;
            if (saved > most) {
                most = saved;
                p->chosen[id] = (int32_t)i;
            }
        }
        if (p->chosen[id] < 0 && view) {
            p->root[id] = id;
            continue;
        }
        if (p->chosen[id] < 0)
            return ferry_fail(err, FERRY_ERR_UNSUPPORTED,
                              "node '%s': none of its tactics could be made ready; log at verbose to see why",
                              p->graph->nodes[id].name);
        const ferry_candidate *c = &list->items[p->chosen[id]];
        for (int32_t k = 0; k < c->n_nodes; k++) p->root[c->nodes[k]] = id;
    }
    return FERRY_OK;
}

static const ferry_candidate *choice(const ferry_planner *p, ferry_node_id node)
{
    const ferry_node_id root = p->root[node];
    return p->chosen[root] < 0 ? NULL : &p->candidates[root].items[p->chosen[root]];
}

static ferry_tensor_layout made_in(const ferry_planner *p, ferry_value_id value)
{
    const ferry_node_id producer = p->graph->values[value].producer;
    if (producer == FERRY_NO_NODE) return FERRY_LAYOUT_PLAIN;
    const ferry_candidate *c = choice(p, producer);
    return c ? c->out_layout : FERRY_LAYOUT_PLAIN;
}

static ferry_tensor_layout read_in(const ferry_planner *p, ferry_node_id user)
{
    const ferry_candidate *c = choice(p, user);
    return c ? c->in_layout : FERRY_LAYOUT_PLAIN;
}

static bool same_nodes(const ferry_candidate *a, const ferry_candidate *b)
{
    if (a->n_nodes != b->n_nodes || a->device != b->device) return false;
    for (int32_t i = 0; i < a->n_nodes; i++)
        if (a->nodes[i] != b->nodes[i]) return false;
    return true;
}

// What candidate `c` of the region at `root` costs with its neighbours as they are. *out_matches: inputs in their
// makers' layout.
static double cost_among_neighbours(const ferry_planner *p, ferry_node_id root, const ferry_candidate *c,
                                    int32_t *out_matches)
{
    const ferry_graph *g = p->graph;
    double cost = c->cost_us;
    *out_matches = 0;
    for (int32_t i = 0; i < c->n_nodes; i++) {
        const ferry_node *node = &g->nodes[c->nodes[i]];
        for (int32_t k = 0; k < node->n_inputs; k++) {
            const ferry_value_id v = node->inputs[k];
            if (v == FERRY_NO_VALUE || ferry_value_is_constant(&g->values[v])) continue;
            const ferry_node_id producer = g->values[v].producer;
            if (producer != FERRY_NO_NODE && p->root[producer] == root) continue;
            if (made_in(p, v) == c->in_layout) {
                ++*out_matches;
            } else {
                cost += ferry_reformat_cost_us(g, v);
            }
        }
        for (int32_t k = 0; k < node->n_outputs; k++) {
            const ferry_value_id v = node->outputs[k];
            if (v == FERRY_NO_VALUE) continue;
            bool converted = g->values[v].is_output && c->out_layout != FERRY_LAYOUT_PLAIN;
            for (int32_t u = p->view.user_offsets[v]; u < p->view.user_offsets[v + 1]; u++)
                converted |= p->root[p->view.users[u]] != root && read_in(p, p->view.users[u]) != c->out_layout;
            if (converted) cost += ferry_reformat_cost_us(g, v); // once, however many read it
        }
    }
    return cost;
}

static bool settle(ferry_planner *p, ferry_node_id root)
{
    if (p->chosen[root] < 0) return false;
    const ferry_candidate_list *list = &p->candidates[root];
    const int32_t before = p->chosen[root];
    int32_t best = before, best_matches = -1;
    double least = INFINITY;
    for (size_t i = 0; i < list->count; i++) {
        const ferry_candidate *c = &list->items[i];
        if (c->dropped || !same_nodes(c, &list->items[before])) continue;
        int32_t matches = 0;
        const double cost = cost_among_neighbours(p, root, c, &matches);
        const double margin = 1e-9 * (1 + fabs(cost));
        if (cost < least - margin || (cost < least + margin && matches > best_matches)) {
            least = cost;
            best = (int32_t)i;
            best_matches = matches;
        }
    }
    p->chosen[root] = best;
    return best != before;
}

ferry_status ferry_planner_select(ferry_planner *planner, ferry_error *err)
{
    const ferry_node_id n = (ferry_node_id)planner->graph->n_nodes;
    for (ferry_node_id i = 0; i < n; i++) {
        planner->chosen[i] = -1;
        planner->root[i] = FERRY_NO_NODE;
    }
    FERRY_TRY(cover(planner, err));
    bool changed = true;
    for (int sweep = 0; sweep < SWEEPS && changed; sweep++) {
        changed = false;
        for (ferry_node_id i = 0; i < n; i++) changed |= settle(planner, i);
    }
    return FERRY_OK;
}
