// SPDX-License-Identifier: Apache-2.0
// Chooses regions from costs: from the last node back, the one that saves most against running its parts. Layouts
// follow in layouts.c.
#include <math.h>

#include "plan/select.h"

#define MOST_PARTS 16 // nodes of a region whose parts are compared with it

double ferry_reformat_cost_us(const ferry_planner *p, ferry_value_id value, int32_t device)
{
    ferry_tensor_desc desc;
    size_t bytes = 0;
    const ferry_device *on = p->devices[device];
    const ferry_shape *shape = &p->graph->values[value].shape;
    if (shape->rank < 3 || ferry_tensor_layouts_coincide(shape->rank, shape->dims)) return 0;
    if (!ferry_value_desc(p->graph, value, FERRY_LAYOUT_PLAIN, &desc) || !ferry_tensor_desc_bytes(&desc, &bytes))
        return 10;
    if (on->backend->reformat_cost_us) return on->backend->reformat_cost_us(on, (double)bytes);
    // Read and written once at a few GB/s: transposing runs well under the memory's speed.
    return 2 + (double)bytes * 2 / 4e3;
}

void ferry_planner_drop(ferry_planner *p, ferry_candidate *c, ferry_status status, const ferry_error *why)
{
    if (p->drop_status == FERRY_OK) {
        p->drop_status = status;
        p->drop_reason = *why;
    }
    ferry_log(p->options->logger, FERRY_SEVERITY_VERBOSE, "tactic %s left out: %s", c->tactic, why->text);
    c->dropped = true;
}

static double best_single(const ferry_planner *p, ferry_node_id node)
{
    double best = INFINITY;
    const ferry_candidate_list *list = &p->candidates[node];
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].n_nodes == 1 && !list->items[i].dropped && ferry_candidate_cost(&list->items[i]) < best)
            best = ferry_candidate_cost(&list->items[i]);
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
        const double cost = ferry_candidate_cost(c) + cost_of_parts(p, whole, left & ~part);
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
            const double saved = (isfinite(without) ? without : 1e9) - ferry_candidate_cost(c);
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
            return ferry_fail(err, p->drop_status == FERRY_OK ? FERRY_ERR_UNSUPPORTED : p->drop_status,
                              "node '%s': none of its tactics could be made ready; of the first one that couldn't: %s",
                              p->graph->nodes[id].name, p->drop_reason.text);
        const ferry_candidate *c = &list->items[p->chosen[id]];
        for (int32_t k = 0; k < c->n_nodes; k++) p->root[c->nodes[k]] = id;
    }
    return FERRY_OK;
}

ferry_status ferry_planner_select(ferry_planner *planner, ferry_error *err)
{
    const ferry_node_id n = (ferry_node_id)planner->graph->n_nodes;
    for (ferry_node_id i = 0; i < n; i++) {
        planner->chosen[i] = -1;
        planner->root[i] = FERRY_NO_NODE;
    }
    FERRY_TRY(cover(planner, err));
    return ferry_planner_choose_layouts(planner, err);
}
