// SPDX-License-Identifier: Apache-2.0
// Timing under a budget: the most promising tactics first, a few at a time, and nothing is compiled that is not timed
// next. Where time is out, estimates decide about the others, in the measure that those which were timed have set.
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "plan/bench.h"
#include "plan/timing_cache.h"

/// A candidate that is to be timed. Layers that are alike have candidates of one key, of which the first is timed.
typedef struct entry {
    ferry_candidate *candidate;
    const char *key; // in the planner's scratch
    uint64_t hash;   // of the key
    double promise;
    size_t place; // in the order of nodes and offers, which settles ties
    size_t alike; // entries from here on with the same key, once they are sorted
} entry;

typedef struct queue {
    entry *all; // sorted by key
    size_t count;
    const entry **firsts; // the first of each key; the most promising leads
    size_t n_firsts;
} queue;

bool ferry_planner_out_of_time(const ferry_planner *p)
{
    return p->deadline_s > 0 && ferry_planner_clock_s(p) >= p->deadline_s;
}

double ferry_planner_clock_s(const ferry_planner *p)
{
    return p->options->clock_s ? p->options->clock_s() : ferry_clock_s();
}

// --- The order ------------------------------------------------------------------------------------------------------

static bool same_nodes(const ferry_candidate *a, const ferry_candidate *b)
{
    if (a->n_nodes != b->n_nodes) return false;
    for (int32_t i = 0; i < a->n_nodes; i++)
        if (a->nodes[i] != b->nodes[i]) return false;
    return true;
}

static double least_estimate(const ferry_candidate_list *list, const ferry_candidate *c)
{
    double least = c->estimate_us;
    for (size_t i = 0; i < list->count; i++) {
        const ferry_candidate *rival = &list->items[i];
        if (!rival->dropped && same_nodes(rival, c) && rival->estimate_us < least) least = rival->estimate_us;
    }
    return least;
}

// What a layer takes is what there is to win; the further an estimate lies behind the best one, the less likely that
// it is wrong by so much.
static double promise_of(const ferry_candidate_list *list, const ferry_candidate *c)
{
    const double least = least_estimate(list, c);
    const double behind = least > 0 ? c->estimate_us / least : 1;
    return least / (behind * behind);
}

static int by_key(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

static int by_promise(const void *a, const void *b)
{
    const entry *x = *(const entry *const *)a, *y = *(const entry *const *)b;
    if (x->promise != y->promise) return x->promise > y->promise ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

static ferry_status add(ferry_planner *p, const ferry_candidate_list *list, ferry_candidate *c, queue *q,
                        ferry_error *err)
{
    const char *key = ferry_candidate_key(p, c, &p->scratch);
    if (!key) return ferry_fail_memory(err, "timing tactics");
    const double known = p->options->timings ? ferry_timing_cache_find(p->options->timings, key) : -1;
    if (known >= 0) {
        c->cost_us = known;
        c->measured = true;
        return FERRY_OK;
    }
    q->all[q->count] = (entry){.candidate = c,
                               .key = key,
                               .hash = ferry_hash64_of(key, strlen(key)),
                               .promise = promise_of(list, c),
                               .place = q->count};
    q->count++;
    return FERRY_OK;
}

static ferry_status fill(ferry_planner *p, const bool *contested, queue *q, ferry_error *err)
{
    size_t most = 0;
    for (size_t n = 0; n < p->graph->n_nodes; n++) most += contested[n] ? p->candidates[n].count : 0;
    q->all = ferry_arena_alloc_array(&p->scratch, most, sizeof *q->all);
    q->firsts = ferry_arena_alloc_array(&p->scratch, most, sizeof *q->firsts);
    if (!q->all || !q->firsts) return ferry_fail_memory(err, "timing tactics");
    for (size_t n = 0; n < p->graph->n_nodes; n++)
        for (size_t i = 0; contested[n] && i < p->candidates[n].count; i++)
            if (!p->candidates[n].items[i].dropped)
                FERRY_TRY(add(p, &p->candidates[n], &p->candidates[n].items[i], q, err));
    if (q->count == 0) return FERRY_OK;
    qsort(q->all, q->count, sizeof *q->all, by_key);
    for (size_t i = 0; i < q->count; i += q->all[i].alike) {
        entry *first = &q->all[i];
        while (i + first->alike < q->count && first[first->alike].hash == first->hash) first->alike++;
        first->promise *= (double)first->alike;
        q->firsts[q->n_firsts++] = first;
    }
    qsort(q->firsts, q->n_firsts, sizeof *q->firsts, by_promise);
    return FERRY_OK;
}

// --- A few of them --------------------------------------------------------------------------------------------------

enum { AT_ONCE = FERRY_PACK_MOST_SOME };

static ferry_node_id root_of(const ferry_candidate *c)
{
    return c->nodes[c->n_nodes - 1];
}

// Those of the entries that are rivals of the first one, against each other; the device holds one node's tensors.
static ferry_status measure_rivals(ferry_planner *p, const entry *const *entries, size_t n, ferry_error *err)
{
    ferry_arena arena;
    ferry_arena_init(&arena, p->heap);
    ferry_bench benches[AT_ONCE];
    ferry_bench_set set = {.planner = p, .arena = &arena, .benches = benches};
    for (size_t i = 0; i < n; i++) {
        ferry_error why = {.text = ""};
        ferry_candidate *c = entries[i]->candidate;
        if (root_of(c) != root_of(entries[0]->candidate)) continue;
        const ferry_status ready = ferry_bench_set_add(&set, c, &why);
        if (ready != FERRY_OK) ferry_planner_drop(p, c, ready, &why);
    }
    const ferry_status s = set.count ? ferry_bench_set_measure(&set, err) : FERRY_OK;
    ferry_bench_set_close(&set);
    ferry_arena_deinit(&arena);
    return s;
}

// What was found of the first holds for those alike.
static ferry_status spread(const ferry_planner *p, const entry *first, ferry_error *err)
{
    const ferry_candidate *c = first->candidate;
    for (size_t i = 1; i < first->alike; i++) {
        first[i].candidate->cost_us = c->cost_us;
        first[i].candidate->measured = c->measured;
        first[i].candidate->dropped = c->dropped;
    }
    if (!c->measured || !p->options->timings) return FERRY_OK;
    return ferry_timing_cache_add(p->options->timings, first->key, c->cost_us, err);
}

static bool is_settled(const ferry_candidate *c)
{
    return c->measured || c->dropped;
}

static ferry_status time_some(ferry_planner *p, const entry *const *entries, size_t n, size_t *out_done,
                              ferry_error *err)
{
    const ferry_candidate *candidates[AT_ONCE];
    for (size_t i = 0; i < n; i++) candidates[i] = entries[i]->candidate;
    FERRY_TRY(ferry_planner_pack_some(p, candidates, n, err));
    for (size_t i = 0; i < n && !ferry_planner_out_of_time(p); i++)
        if (!is_settled(entries[i]->candidate)) FERRY_TRY(measure_rivals(p, entries + i, n - i, err));
    for (size_t i = 0; i < n; i++) {
        if (!is_settled(entries[i]->candidate)) continue;
        FERRY_TRY(spread(p, entries[i], err));
        ++*out_done;
    }
    return FERRY_OK;
}

// --- What was not timed ---------------------------------------------------------------------------------------------

// Measured time over estimated: of those candidates on the device that have the tactic; NULL: any. 0: none was timed.
static double measured_ratio(const ferry_planner *p, int32_t device, const char *tactic)
{
    double measured = 0, estimated = 0;
    for (size_t n = 0; n < p->graph->n_nodes; n++)
        for (size_t i = 0; i < p->candidates[n].count; i++) {
            const ferry_candidate *c = &p->candidates[n].items[i];
            if (!c->measured || c->device != device || (tactic && c->tactic != tactic)) continue;
            measured += c->cost_us;
            estimated += c->estimate_us;
        }
    return measured > 0 && estimated > 0 ? measured / estimated : 0;
}

// An estimate does not win against a measured time, unless for the sake of its neighbours' layouts.
#define BEHIND_MEASURED 1.05

static void settle(const ferry_planner *p, ferry_candidate *c)
{
    double ratio = measured_ratio(p, c->device, c->tactic);
    if (ratio == 0) ratio = measured_ratio(p, c->device, NULL);
    if (ratio > 0) c->cost_us = c->estimate_us * ratio;
    const ferry_candidate_list *list = &p->candidates[root_of(c)];
    for (size_t i = 0; i < list->count; i++) {
        const ferry_candidate *rival = &list->items[i];
        if (!rival->measured || rival->dropped || !same_nodes(rival, c)) continue;
        if (c->cost_us < rival->cost_us * BEHIND_MEASURED) c->cost_us = rival->cost_us * BEHIND_MEASURED;
    }
}

ferry_status ferry_planner_time_in_budget(ferry_planner *p, const bool *contested, ferry_error *err)
{
    p->deadline_s = ferry_planner_clock_s(p) + p->options->timing_seconds;
    queue q = {.count = 0};
    ferry_phase phase;
    FERRY_TRY(fill(p, contested, &q, err));
    FERRY_TRY(ferry_phase_begin(&phase, p->options->progress, "time tactics", q.n_firsts, err));
    phase.until_s = phase.begun_s + p->options->timing_seconds;
    const size_t at_once = p->options->threads < AT_ONCE / 2 ? 2 * (size_t)p->options->threads : AT_ONCE;
    size_t done = 0;
    for (size_t at = 0; at < q.n_firsts && !ferry_planner_out_of_time(p); at += at_once) {
        const size_t left = q.n_firsts - at;
        FERRY_TRY(time_some(p, q.firsts + at, left < at_once ? left : at_once, &done, err));
        FERRY_TRY(ferry_phase_step(&phase, done, err));
    }
    phase.total = done;
    FERRY_TRY(ferry_phase_end(&phase, err));
    if (done == q.n_firsts) return FERRY_OK;
    ferry_log(p->options->logger, FERRY_SEVERITY_WARNING,
              "%zu of %zu tactics were timed within %g s; estimates decide about the other %zu", done, q.n_firsts,
              p->options->timing_seconds, q.n_firsts - done);
    for (size_t i = 0; i < q.count; i++)
        if (!is_settled(q.all[i].candidate)) settle(p, q.all[i].candidate);
    return FERRY_OK;
}
