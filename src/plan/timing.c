// SPDX-License-Identifier: Apache-2.0
// Measures tactics that compete for a region on the device itself, with the real shapes, as far as their times are not
// known already.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "plan/bench.h"
#include "plan/timing_cache.h"

// Of a device apart, the fingerprint alone says too little: GPUs of one chip differ in size and clocks.
const char *ferry_candidate_key(const ferry_planner *p, const ferry_candidate *c, ferry_arena *arena)
{
    ferry_region region;
    if (ferry_region_make(p->graph, p->view.user_offsets, p->view.users, c->nodes, c->n_nodes, arena, &region, NULL) !=
        FERRY_OK)
        return NULL;
    const char *signature = ferry_region_signature(&region, arena);
    if (!signature) return NULL;
    const ferry_device_info *info = &p->infos[c->device];
    const ferry_backend *backend = p->devices[c->device]->backend;
    char version[160] = ""; // of the library
    if ((c->flags & FERRY_OFFER_LIBRARY) && backend->describe_libraries) {
        static const char of[] = " of ";
        memcpy(version, of, sizeof of);
        backend->describe_libraries(p->devices[c->device], version + strlen(of), sizeof version - sizeof of);
    }
    if (!info->synchronous)
        return ferry_arena_printf(arena, "%s|%s|%s%s|%s", info->fingerprint, info->name, c->tactic, version, signature);
    return ferry_arena_printf(arena, "%s|%d threads|%s%s|%s", info->fingerprint, p->options->threads, c->tactic,
                              version, signature);
}

// Measures those candidates of one node whose times are not in the cache yet.
static ferry_status time_node(ferry_planner *p, ferry_candidate_list *list, ferry_arena *arena, ferry_error *err)
{
    ferry_bench_set set = {.planner = p, .arena = arena};
    set.benches = ferry_arena_alloc_array(arena, list->count, sizeof *set.benches);
    const char **keys = ferry_arena_alloc_array(arena, list->count, sizeof *keys);
    ferry_status s = set.benches && keys ? FERRY_OK : ferry_fail_memory(err, "timing tactics");
    for (size_t i = 0; s == FERRY_OK && i < list->count; i++) {
        ferry_candidate *c = &list->items[i];
        if (c->dropped) continue;
        const char *key = ferry_candidate_key(p, c, arena);
        if (!key) s = ferry_fail_memory(err, "timing tactics");
        const double known = key && p->options->timings ? ferry_timing_cache_find(p->options->timings, key) : -1;
        if (s != FERRY_OK) break;
        if (known >= 0) {
            c->cost_us = known;
            c->measured = true;
            continue;
        }
        ferry_error why = {.text = ""};
        keys[set.count] = key;
        const ferry_status ready = ferry_bench_set_add(&set, c, &why);
        if (ready == FERRY_OK) continue;
        ferry_planner_drop(p, c, ready, &why);
    }
    if (s == FERRY_OK && set.count) s = ferry_bench_set_measure(&set, err);
    for (size_t i = 0; s == FERRY_OK && i < set.count && p->options->timings; i++)
        s = ferry_timing_cache_add(p->options->timings, keys[i], set.benches[i].candidate->cost_us, err);
    ferry_bench_set_close(&set);
    return s;
}

// Nodes whose candidates compete: several for the node itself, or a region of several nodes against its parts. A
// measured time is never held against a guessed one then, but for reference kernels, which are slow beyond doubt.
static bool *find_contested(const ferry_planner *p, ferry_arena *arena)
{
    bool *contested = ferry_arena_alloc_array(arena, p->graph->n_nodes, sizeof *contested);
    for (size_t n = 0; contested && n < p->graph->n_nodes; n++) {
        const ferry_candidate_list *list = &p->candidates[n];
        size_t rivals = 0;
        for (size_t i = 0; i < list->count; i++) {
            const ferry_candidate *c = &list->items[i];
            rivals += !(c->flags & FERRY_OFFER_REFERENCE);
            for (int32_t k = 0; c->n_nodes > 1 && k < c->n_nodes; k++) contested[c->nodes[k]] = true;
        }
        contested[n] |= rivals > 1;
    }
    for (size_t n = 0; contested && n < p->graph->n_nodes; n++) {
        bool quick = false;
        for (size_t i = 0; i < p->candidates[n].count; i++)
            quick |= !(p->candidates[n].items[i].flags & FERRY_OFFER_REFERENCE);
        contested[n] &= quick;
    }
    return contested;
}

ferry_status ferry_planner_time(ferry_planner *planner, ferry_error *err)
{
    if (!planner->options->time_tactics) return FERRY_OK;
    for (int32_t d = 0; d < planner->n_devices; d++)
        if (planner->infos[d].build_only) return FERRY_OK; // prices decide
    size_t total = 0, done = 0;
    const bool *contested = find_contested(planner, &planner->scratch);
    if (!contested) return ferry_fail_memory(err, "timing tactics");
    if (planner->options->timing_seconds > 0) return ferry_planner_time_in_budget(planner, contested, err);
    FERRY_TRY(ferry_planner_pack_ahead(planner, contested, err));
    for (size_t i = 0; i < planner->graph->n_nodes; i++) total += contested[i];
    ferry_phase phase;
    FERRY_TRY(ferry_phase_begin(&phase, planner->options->progress, "time tactics", total, err));
    ferry_arena arena;
    ferry_arena_init(&arena, planner->heap);
    ferry_status s = FERRY_OK;
    for (size_t i = 0; s == FERRY_OK && i < planner->graph->n_nodes; i++) {
        if (!contested[i]) continue;
        s = time_node(planner, &planner->candidates[i], &arena, err);
        ferry_arena_deinit(&arena);
        if (s == FERRY_OK) s = ferry_phase_step(&phase, ++done, err);
    }
    return s == FERRY_OK ? ferry_phase_end(&phase, err) : s;
}
