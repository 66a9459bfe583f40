// SPDX-License-Identifier: Apache-2.0
// Chooses the layouts of all regions at once. With two layouts, what a region costs in each and what a conversion
// between two costs are costs of labels and of labels that differ, so a minimum cut finds the cheapest choice: no
// region by itself would leave a layout that its neighbours keep it in.
#include <math.h>

#include "plan/cut.h"
#include "plan/select.h"

_Static_assert(FERRY_LAYOUT_PLAIN == 0 && FERRY_LAYOUT_CHANNELS_LAST == 1 && FERRY_LAYOUT_COUNT == 2,
               "labels are layouts");

#define SHORTEST_US (1.0 / 1024) // costs are counted in these

typedef struct labels {
    ferry_planner *planner;
    ferry_cut cut;
    int32_t *in, *out; // [n_nodes]: the variables of the region that ends in the node
} labels;

static int64_t counted(double us)
{
    const double ticks = us / SHORTEST_US;
    return ticks < 0 ? 0 : ticks < (double)(FERRY_CUT_NEVER >> 8) ? (int64_t)ticks : FERRY_CUT_NEVER >> 8;
}

// Candidates of the region that was chosen: same nodes, same device.
static bool is_rival(const ferry_candidate *a, const ferry_candidate *b)
{
    if (a->dropped || a->n_nodes != b->n_nodes || a->device != b->device) return false;
    for (int32_t i = 0; i < a->n_nodes; i++)
        if (a->nodes[i] != b->nodes[i]) return false;
    return true;
}

// The cheapest candidate for each pair of layouts; -1: none.
static void find_best(const ferry_planner *p, ferry_node_id root, int32_t best[2][2])
{
    const ferry_candidate *items = p->candidates[root].items;
    best[0][0] = best[0][1] = best[1][0] = best[1][1] = -1;
    for (size_t i = 0; i < p->candidates[root].count; i++) {
        int32_t *of = &best[items[i].in_layout][items[i].out_layout];
        if (is_rival(&items[i], &items[p->chosen[root]]) &&
            (*of < 0 || ferry_candidate_cost(&items[i]) < ferry_candidate_cost(&items[*of])))
            *of = (int32_t)i;
    }
}

// cost[label] of one variable.
static ferry_status add_costs(ferry_cut *cut, int32_t variable, int64_t zero, int64_t one, ferry_error *err)
{
    FERRY_TRY(ferry_cut_pair(cut, FERRY_CUT_ZERO, variable, one > zero ? one - zero : 0, err));
    return ferry_cut_pair(cut, variable, FERRY_CUT_ONE, zero > one ? zero - one : 0, err);
}

// Input and output in layouts of their own: c00 + (c10 - c00) in + (c11 - c10) out + coupling where in is 0 and out 1.
static ferry_status add_pair(ferry_cut *cut, int32_t in, int32_t out, int64_t cost[2][2], ferry_error *err)
{
    const int64_t coupling = cost[0][1] + cost[1][0] - cost[0][0] - cost[1][1];
    FERRY_TRY(add_costs(cut, in, cost[0][0], cost[1][0], err));
    FERRY_TRY(add_costs(cut, out, cost[1][0], cost[1][1], err));
    return ferry_cut_pair(cut, in, out, coupling, err);
}

static ferry_status add_region(labels *l, ferry_node_id root, ferry_error *err)
{
    const ferry_planner *p = l->planner;
    ferry_cut *cut = &l->cut;
    int32_t best[2][2];
    int64_t cost[2][2];
    find_best(p, root, best);
    for (int i = 0; i < 2; i++)
        for (int o = 0; o < 2; o++)
            cost[i][o] = best[i][o] < 0 ? FERRY_CUT_NEVER >> 4
                                        : counted(ferry_candidate_cost(&p->candidates[root].items[best[i][o]]));
    const bool in_0 = best[0][0] >= 0 || best[0][1] >= 0, in_1 = best[1][0] >= 0 || best[1][1] >= 0;
    const bool out_0 = best[0][0] >= 0 || best[1][0] >= 0, out_1 = best[0][1] >= 0 || best[1][1] >= 0;
    l->in[root] = in_0 ? FERRY_CUT_ZERO : FERRY_CUT_ONE;
    l->out[root] = out_0 ? FERRY_CUT_ZERO : FERRY_CUT_ONE;
    if (in_0 && in_1 && out_0 && out_1) {
        // Where changing the layout is what comes cheap, no cut tells; the candidate that is cheapest alone stays.
        if (cost[0][1] + cost[1][0] < cost[0][0] + cost[1][1]) {
            const ferry_candidate *c = &p->candidates[root].items[p->chosen[root]];
            l->in[root] = (int32_t)c->in_layout;
            l->out[root] = (int32_t)c->out_layout;
            return FERRY_OK;
        }
        FERRY_TRY(ferry_cut_variable(cut, &l->in[root], err));
        FERRY_TRY(ferry_cut_variable(cut, &l->out[root], err));
        return add_pair(cut, l->in[root], l->out[root], cost, err);
    }
    if (in_0 && in_1) {
        const int o = (int)l->out[root];
        FERRY_TRY(ferry_cut_variable(cut, &l->in[root], err));
        return add_costs(cut, l->in[root], cost[0][o], cost[1][o], err);
    }
    if (out_0 && out_1) {
        const int i = (int)l->in[root];
        FERRY_TRY(ferry_cut_variable(cut, &l->out[root], err));
        return add_costs(cut, l->out[root], cost[i][0], cost[i][1], err);
    }
    return FERRY_OK;
}

// The device of a region; what has none (views, the caller) has the others' tensors where they are.
static int32_t device_of(const ferry_planner *p, ferry_node_id root, int32_t otherwise)
{
    return root == FERRY_NO_NODE || p->chosen[root] < 0 ? otherwise : p->candidates[root].items[p->chosen[root]].device;
}

// A value is converted once, however many read it: a variable for each layout says that somebody reads it there. It
// crosses to another device as it does to the caller, and is converted there, or not.
static ferry_status add_value(labels *l, ferry_value_id v, ferry_error *err)
{
    const ferry_planner *p = l->planner;
    const ferry_value *value = &p->graph->values[v];
    const ferry_node_id maker = value->producer == FERRY_NO_NODE ? FERRY_NO_NODE : p->root[value->producer];
    const int32_t made = maker == FERRY_NO_NODE ? FERRY_CUT_ZERO : l->out[maker];
    const int32_t device = device_of(p, maker, 0);
    const int64_t cost = counted(ferry_reformat_cost_us(p, v, device));
    const int32_t *offsets = p->view.user_offsets;
    if (cost == 0 || ferry_value_is_constant(value)) return FERRY_OK;
    int32_t read[2];
    FERRY_TRY(ferry_cut_variable(&l->cut, &read[0], err)); // 0 when somebody reads it plain
    FERRY_TRY(ferry_cut_variable(&l->cut, &read[1], err)); // 1 when somebody reads it with channels last
    FERRY_TRY(ferry_cut_pair(&l->cut, read[0], made, cost, err));
    FERRY_TRY(ferry_cut_pair(&l->cut, made, read[1], cost, err));
    for (int32_t u = offsets[v]; u < offsets[v + 1] + (value->is_output ? 1 : 0); u++) {
        const bool border = u == offsets[v + 1]; // whoever takes the output has it plain
        const ferry_node_id reader = border ? FERRY_NO_NODE : p->root[p->view.users[u]];
        if (!border && reader == maker) continue;
        const int32_t there = border ? device : device_of(p, reader, device);
        if (there != device)
            FERRY_TRY(ferry_cut_pair(&l->cut, FERRY_CUT_ZERO, l->in[reader],
                                     counted(ferry_reformat_cost_us(p, v, there)), err));
        const int32_t in = border || there != device ? FERRY_CUT_ZERO : l->in[reader];
        FERRY_TRY(ferry_cut_pair(&l->cut, in, read[0], FERRY_CUT_NEVER, err));
        FERRY_TRY(ferry_cut_pair(&l->cut, read[1], in, FERRY_CUT_NEVER, err));
    }
    return FERRY_OK;
}

static ferry_status choose(labels *l, ferry_arena *arena, ferry_error *err)
{
    ferry_planner *p = l->planner;
    const size_t n = p->graph->n_nodes;
    uint8_t *label = NULL;
    l->in = ferry_arena_alloc_array(arena, n, sizeof *l->in);
    l->out = ferry_arena_alloc_array(arena, n, sizeof *l->out);
    if (!l->in || !l->out) return ferry_fail_memory(err, "layouts");
    FERRY_TRY(ferry_cut_init(&l->cut, arena, err));
    for (size_t i = 0; i < n; i++) // views, which have no candidate, are plain
        if (p->root[i] == (ferry_node_id)i && p->chosen[i] >= 0) FERRY_TRY(add_region(l, (ferry_node_id)i, err));
    for (size_t v = 0; v < p->graph->n_values; v++) FERRY_TRY(add_value(l, (ferry_value_id)v, err));
    FERRY_TRY(ferry_cut_solve(&l->cut, &label, err));
    for (size_t i = 0; i < n; i++) {
        int32_t best[2][2];
        if (p->root[i] != (ferry_node_id)i || p->chosen[i] < 0) continue;
        find_best(p, (ferry_node_id)i, best);
        p->chosen[i] = best[label[l->in[i]]][label[l->out[i]]];
    }
    return FERRY_OK;
}

ferry_status ferry_planner_choose_layouts(ferry_planner *planner, ferry_error *err)
{
    ferry_arena arena;
    labels l = {.planner = planner};
    ferry_arena_init(&arena, planner->heap);
    const ferry_status s = choose(&l, &arena, err);
    ferry_arena_deinit(&arena);
    return s;
}
