// SPDX-License-Identifier: Apache-2.0
// Packing for a GPU means compiling, which takes a thread a tenth of a second and more. A device keeps what it has
// compiled, so packing each candidate once on whatever thread is free leaves little for the measurement to wait for.
#include <string.h>

#include "base/hash.h"
#include "base/thread_pool.h"
#include "plan/select.h"
#include "plan/timing_cache.h"

typedef struct work {
    const ferry_planner *p;
    const ferry_candidate **items;
} work;

// A failure comes up again, and is reported, when the candidate is made ready.
static void pack_one(void *context, size_t begin, size_t count)
{
    (void)count;
    const work *w = context;
    const ferry_candidate *c = w->items[begin];
    ferry_device *device = w->p->devices[c->device];
    ferry_arena arena;
    ferry_region region;
    void *packed = NULL;
    size_t bytes = 0;
    ferry_arena_init(&arena, w->p->heap);
    if (ferry_region_make(w->p->graph, w->p->view.user_offsets, w->p->view.users, c->nodes, c->n_nodes, &arena, &region,
                          NULL) == FERRY_OK &&
        device->backend->pack(device, &region, c->tactic, &packed, &bytes, NULL) == FERRY_OK)
        ferry_heap_free(device->heap, packed, bytes);
    ferry_arena_deinit(&arena);
}

// Many layers of a network are alike: one of those with the same key is packed, none whose time is known.
static ferry_status collect(const ferry_planner *p, const bool *nodes, ferry_arena *arena, work *w, size_t *out_count,
                            ferry_error *err)
{
    size_t most = 0, n = 0;
    for (size_t i = 0; i < p->graph->n_nodes; i++) most += nodes[i] ? p->candidates[i].count : 0;
    w->items = ferry_arena_alloc_array(arena, most, sizeof *w->items);
    uint64_t *seen = ferry_arena_alloc_array(arena, most, sizeof *seen);
    if (!w->items || !seen) return ferry_fail_memory(err, "timing tactics");
    for (size_t i = 0; i < p->graph->n_nodes; i++)
        for (size_t k = 0; nodes[i] && k < p->candidates[i].count; k++) {
            const ferry_candidate *c = &p->candidates[i].items[k];
            // What a library runs has nothing to compile.
            if (c->dropped || p->infos[c->device].synchronous || (c->flags & FERRY_OFFER_LIBRARY)) continue;
            const char *key = ferry_candidate_key(p, c, arena);
            if (!key) return ferry_fail_memory(err, "timing tactics");
            if (p->options->timings && ferry_timing_cache_find(p->options->timings, key) >= 0) continue;
            const uint64_t hash = ferry_hash64_of(key, strlen(key));
            size_t same = 0;
            while (same < n && seen[same] != hash) same++;
            if (same < n) continue;
            seen[n] = hash;
            w->items[n++] = c;
        }
    *out_count = n;
    return FERRY_OK;
}

static ferry_status pack_all(const ferry_planner *p, work *w, size_t count, ferry_error *err)
{
    ferry_thread_pool *pool = NULL;
    ferry_phase phase;
    FERRY_TRY(ferry_thread_pool_create(p->heap, (size_t)p->options->threads, &pool, err));
    ferry_status s = ferry_phase_begin(&phase, p->options->progress, "compile kernels", count, err);
    const size_t at_once = 4 * ferry_thread_pool_threads(pool);
    for (size_t at = 0; s == FERRY_OK && at < count; at += at_once) {
        const size_t n = count - at < at_once ? count - at : at_once;
        work part = {w->p, w->items + at};
        ferry_parallel_1d(pool, pack_one, &part, n, 1);
        s = ferry_phase_step(&phase, at + n, err);
    }
    if (s == FERRY_OK) s = ferry_phase_end(&phase, err);
    ferry_thread_pool_destroy(pool);
    return s;
}

ferry_status ferry_planner_pack_some(const ferry_planner *p, const ferry_candidate *const *candidates, size_t count,
                                     ferry_error *err)
{
    const ferry_candidate *apart[FERRY_PACK_MOST_SOME];
    ferry_thread_pool *pool = NULL;
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (!p->infos[candidates[i]->device].synchronous) apart[n++] = candidates[i];
    if (n < 2) return FERRY_OK;
    FERRY_TRY(ferry_thread_pool_create(p->heap, (size_t)p->options->threads, &pool, err));
    work w = {p, apart};
    ferry_parallel_1d(pool, pack_one, &w, n, 1);
    ferry_thread_pool_destroy(pool);
    return FERRY_OK;
}

ferry_status ferry_planner_pack_ahead(ferry_planner *planner, const bool *nodes, ferry_error *err)
{
    ferry_arena arena;
    ferry_arena_init(&arena, planner->heap);
    work w = {.p = planner};
    size_t count = 0;
    ferry_status s = collect(planner, nodes, &arena, &w, &count, err);
    if (s == FERRY_OK && count > 1) s = pack_all(planner, &w, count, err);
    ferry_arena_deinit(&arena);
    return s;
}
