// SPDX-License-Identifier: Apache-2.0
// Choosing with memory for a criterion. Whatever is alive where a plan needs most is given a price, and all is chosen
// anew: regions win that keep it in a cache, and tactics with less scratch. Prices rise round by round. That plan is
// taken that saves most of the memory for what it costs of the time.
#include <string.h>

#include "plan/memory_plan.h"
#include "plan/select.h"

enum { ROUNDS = 8 };

#define FIRST_SHARE 0.02 // of the plan's time: the price of all that is alive at the peak, in the first round
#define MOST_SLOWER 1.1
#define NEAR_PEAK 0.95 // of the most that a step needs: the peak, for what would otherwise come next

/// A choice, and what it takes.
typedef struct draft {
    ferry_plan plan;
    ferry_arena arena; // of `memory`
    ferry_memory_plan memory;
    double bytes, us;
} draft;

typedef struct prices {
    double *value_us;   // [n_values]: of having it in memory
    double *scratch_us; // [n_nodes]: of a byte of scratch while the node runs
    bool *apart;        // [n_values]: see ferry_planner
} prices;

typedef struct search {
    ferry_planner *p;
    prices now, best;
    bool *crowded; // [n_values]: alive at the peak
    double least;  // bytes * us of the best
    double most_us;
} search;

// --- What a choice takes --------------------------------------------------------------------------------------------

static double value_bytes(const ferry_planner *p, ferry_value_id value)
{
    ferry_tensor_desc desc;
    size_t bytes = 0;
    const bool known = ferry_value_desc(p->graph, value, FERRY_LAYOUT_PLAIN, &desc);
    return known && ferry_tensor_desc_bytes(&desc, &bytes) ? (double)bytes : 0;
}

static ferry_status weigh(ferry_planner *p, ferry_candidate *c, ferry_error *err)
{
    ferry_arena arena;
    size_t bytes = 0;
    if (c->weighed) return FERRY_OK;
    ferry_arena_init(&arena, p->heap);
    const ferry_status s = ferry_planner_weigh(p, c, &arena, &bytes, err);
    ferry_arena_deinit(&arena);
    if (s == FERRY_ERR_OUT_OF_MEMORY) return s;
    // What can't be made ready, as on a device that is not here, counts without scratch.
    c->workspace_bytes = s == FERRY_OK ? ferry_align_size(bytes, 64) : 0;
    c->weighed = true;
    return FERRY_OK;
}

static ferry_candidate *candidate_of(const ferry_planner *p, const ferry_plan_step *step)
{
    const ferry_node_id root = step->nodes[step->n_nodes - 1];
    return &p->candidates[root].items[p->chosen[root]];
}

static ferry_status weigh_draft(ferry_planner *p, draft *d, ferry_error *err)
{
    uint64_t *bytes = ferry_arena_alloc_array(&d->arena, d->plan.n_buffers, sizeof *bytes);
    uint64_t *scratch = ferry_arena_alloc_array(&d->arena, d->plan.n_steps, sizeof *scratch);
    if (!bytes || !scratch) return ferry_fail_memory(err, "a plan");
    for (size_t b = 0; b < d->plan.n_buffers; b++)
        bytes[b] = ferry_align_size((size_t)value_bytes(p, d->plan.buffers[b].value), 64);
    for (size_t s = 0; s < d->plan.n_steps; s++) {
        const ferry_plan_step *step = &d->plan.steps[s];
        if (step->kind != FERRY_STEP_REGION) {
            d->us += ferry_reformat_cost_us(p, d->plan.buffers[step->outputs[0]].value, step->device);
            continue;
        }
        ferry_candidate *c = candidate_of(p, step);
        FERRY_TRY(weigh(p, c, err));
        d->us += c->cost_us;
        scratch[s] = c->workspace_bytes;
    }
    FERRY_TRY(ferry_memory_plan_make(&d->plan, bytes, scratch, false, &d->arena, &d->memory, err));
    for (int32_t i = 0; i < d->plan.n_devices; i++) d->bytes += (double)d->memory.arena_bytes[i];
    return FERRY_OK;
}

static ferry_status draft_make(ferry_planner *p, draft *d, ferry_error *err)
{
    *d = (draft){0};
    ferry_plan_init(&d->plan, p->heap);
    ferry_arena_init(&d->arena, p->heap);
    d->plan.n_devices = p->n_devices;
    FERRY_TRY(ferry_planner_choose(p, &d->plan, err));
    return weigh_draft(p, d, err);
}

static void draft_free(draft *d)
{
    ferry_arena_deinit(&d->arena);
    ferry_plan_deinit(&d->plan);
}

// --- Prices ---------------------------------------------------------------------------------------------------------

static bool is_at_peak(const draft *d, int32_t device, size_t step)
{
    const uint64_t *needs = d->memory.needs[device];
    uint64_t most = 0;
    for (size_t s = 0; s < d->plan.n_steps; s++) most = needs[s] > most ? needs[s] : most;
    return (double)needs[step] >= NEAR_PEAK * (double)most;
}

// Notes the values that are alive at the peak of their device.
static void find_crowded(const search *l, const draft *d)
{
    const ferry_plan *plan = &d->plan;
    memset(l->crowded, 0, l->p->graph->n_values * sizeof *l->crowded);
    for (size_t s = 0; s < plan->n_steps; s++)
        for (int32_t device = 0; device < plan->n_devices; device++) {
            if (!is_at_peak(d, device, s)) continue;
            for (size_t b = 0; b < plan->n_buffers; b++) {
                const ferry_buffer_id root = ferry_plan_root(plan, (ferry_buffer_id)b);
                if (plan->buffers[root].device == device && plan->buffers[root].binding < 0 &&
                    d->memory.first[root] <= (int32_t)s && d->memory.last[root] >= (int32_t)s)
                    l->crowded[plan->buffers[b].value] = true;
            }
        }
}

static void raise_prices(search *l, const draft *d, double us_per_byte)
{
    find_crowded(l, d);
    for (size_t v = 0; v < l->p->graph->n_values; v++)
        if (l->crowded[v]) l->now.value_us[v] += us_per_byte * value_bytes(l->p, (ferry_value_id)v);
    for (size_t s = 0; s < d->plan.n_steps; s++) {
        const ferry_plan_step *step = &d->plan.steps[s];
        if (step->kind != FERRY_STEP_REGION || !is_at_peak(d, step->device, s)) continue;
        for (int32_t i = 0; i < step->n_nodes; i++) l->now.scratch_us[step->nodes[i]] += us_per_byte;
    }
}

// Whether somebody outside of the region reads what one of its nodes makes.
static bool escapes(const ferry_planner *p, const ferry_candidate *c, ferry_value_id value)
{
    for (int32_t u = p->view.user_offsets[value]; u < p->view.user_offsets[value + 1]; u++) {
        bool inside = false;
        for (int32_t i = 0; i < c->n_nodes; i++) inside |= c->nodes[i] == p->view.users[u];
        if (!inside) return true;
    }
    return p->graph->values[value].is_output;
}

static ferry_status price(search *l, ferry_candidate *c, ferry_error *err)
{
    double per_byte = 0;
    c->price_us = 0;
    for (int32_t i = 0; i < c->n_nodes; i++) {
        const ferry_node *node = &l->p->graph->nodes[c->nodes[i]];
        if (l->now.scratch_us[c->nodes[i]] > per_byte) per_byte = l->now.scratch_us[c->nodes[i]];
        for (int32_t o = 0; o < node->n_outputs; o++) {
            const ferry_value_id v = node->outputs[o];
            if (v != FERRY_NO_VALUE && l->now.value_us[v] > 0 && escapes(l->p, c, v)) c->price_us += l->now.value_us[v];
        }
    }
    if (per_byte == 0) return FERRY_OK;
    FERRY_TRY(weigh(l->p, c, err));
    c->price_us += per_byte * (double)c->workspace_bytes;
    return FERRY_OK;
}

static ferry_status price_all(search *l, ferry_error *err)
{
    for (size_t n = 0; n < l->p->graph->n_nodes; n++)
        for (size_t i = 0; i < l->p->candidates[n].count; i++) FERRY_TRY(price(l, &l->p->candidates[n].items[i], err));
    return FERRY_OK;
}

// --- The search -----------------------------------------------------------------------------------------------------

static void copy_prices(const ferry_graph *g, const prices *from, prices *to)
{
    memcpy(to->value_us, from->value_us, g->n_values * sizeof *to->value_us);
    memcpy(to->scratch_us, from->scratch_us, g->n_nodes * sizeof *to->scratch_us);
    memcpy(to->apart, from->apart, g->n_values * sizeof *to->apart);
}

static void take_if_better(search *l, const draft *d)
{
    if (d->us > l->most_us || !(d->bytes * d->us < l->least)) return;
    l->least = d->bytes * d->us;
    copy_prices(l->p->graph, &l->now, &l->best);
}

static ferry_status raise_round_by_round(search *l, draft *d, ferry_error *err)
{
    double us_per_byte = d->bytes > 0 ? FIRST_SHARE * d->us / d->bytes : 0;
    for (int round = 0; round < ROUNDS && d->us <= l->most_us; round++, us_per_byte *= 2) {
        raise_prices(l, d, us_per_byte);
        FERRY_TRY(price_all(l, err));
        draft_free(d);
        FERRY_TRY(draft_make(l->p, d, err));
        take_if_better(l, d);
    }
    return FERRY_OK;
}

// A tensor that is there from the first of its slices on may be in the way before it is complete.
static ferry_status try_apart(search *l, draft *d, ferry_error *err)
{
    find_crowded(l, d);
    for (size_t v = 0; v < l->p->graph->n_values; v++) {
        const ferry_value_id whole = l->p->joined[v].whole;
        if (whole == FERRY_NO_VALUE || !l->crowded[whole]) continue;
        l->now.apart[v] = true;
        draft_free(d);
        FERRY_TRY(draft_make(l->p, d, err));
        take_if_better(l, d);
        copy_prices(l->p->graph, &l->best, &l->now);
    }
    return FERRY_OK;
}

static ferry_status find_best(search *l, draft *d, ferry_error *err)
{
    FERRY_TRY(draft_make(l->p, d, err));
    l->most_us = MOST_SLOWER * d->us;
    l->least = d->bytes * d->us;
    FERRY_TRY(raise_round_by_round(l, d, err));
    copy_prices(l->p->graph, &l->best, &l->now);
    FERRY_TRY(price_all(l, err));
    draft_free(d);
    FERRY_TRY(draft_make(l->p, d, err));
    return try_apart(l, d, err);
}

static bool make_prices(ferry_planner *p, prices *out)
{
    out->value_us = ferry_arena_alloc_array(&p->scratch, p->graph->n_values, sizeof *out->value_us);
    out->scratch_us = ferry_arena_alloc_array(&p->scratch, p->graph->n_nodes, sizeof *out->scratch_us);
    out->apart = ferry_arena_alloc_array(&p->scratch, p->graph->n_values, sizeof *out->apart);
    return out->value_us && out->scratch_us && out->apart;
}

ferry_status ferry_planner_choose_lean(ferry_planner *planner, ferry_plan *out, ferry_error *err)
{
    search l = {.p = planner};
    draft d = {0};
    l.crowded = ferry_arena_alloc_array(&planner->scratch, planner->graph->n_values, sizeof *l.crowded);
    if (!l.crowded || !make_prices(planner, &l.now) || !make_prices(planner, &l.best))
        return ferry_fail_memory(err, "a plan");
    planner->apart = l.now.apart;
    const ferry_status s = find_best(&l, &d, err);
    draft_free(&d);
    return s == FERRY_OK ? ferry_planner_choose(planner, out, err) : s;
}
