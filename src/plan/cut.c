// SPDX-License-Identifier: Apache-2.0
// The minimum cut by Dinic's maximum flow: from the variable that is 0 to the one that is 1, along shortest ways.
#include "plan/cut.h"

#include <string.h>

// Room for one more element; the old array stays behind in the arena.
static ferry_status grow(ferry_arena *arena, void **items, size_t *capacity, size_t item_bytes, size_t count,
                         ferry_error *err)
{
    if (count < *capacity) return FERRY_OK;
    const size_t wanted = *capacity ? 2 * *capacity : 64;
    void *larger = ferry_arena_alloc_array(arena, wanted, item_bytes);
    if (!larger) return ferry_fail_memory(err, "a cut");
    if (count) memcpy(larger, *items, count * item_bytes);
    *items = larger;
    *capacity = wanted;
    return FERRY_OK;
}

ferry_status ferry_cut_init(ferry_cut *cut, ferry_arena *arena, ferry_error *err)
{
    int32_t given = 0;
    *cut = (ferry_cut){.arena = arena};
    FERRY_TRY(ferry_cut_variable(cut, &given, err));
    return ferry_cut_variable(cut, &given, err);
}

ferry_status ferry_cut_variable(ferry_cut *cut, int32_t *out, ferry_error *err)
{
    void *items = cut->first;
    FERRY_TRY(grow(cut->arena, &items, &cut->variable_capacity, sizeof *cut->first, cut->n_variables, err));
    cut->first = items;
    cut->first[cut->n_variables] = -1;
    *out = (int32_t)cut->n_variables++;
    return FERRY_OK;
}

static ferry_status add_arc(ferry_cut *cut, int32_t from, int32_t to, int64_t room, ferry_error *err)
{
    void *items = cut->arcs;
    FERRY_TRY(grow(cut->arena, &items, &cut->arc_capacity, sizeof *cut->arcs, cut->n_arcs, err));
    cut->arcs = items;
    cut->arcs[cut->n_arcs] = (ferry_cut_arc){.to = to, .next = cut->first[from], .room = room};
    cut->first[from] = (int32_t)cut->n_arcs++;
    return FERRY_OK;
}

ferry_status ferry_cut_pair(ferry_cut *cut, int32_t zero, int32_t one, int64_t cost, ferry_error *err)
{
    if (zero == one || cost <= 0) return FERRY_OK;
    FERRY_TRY(add_arc(cut, zero, one, cost, err));
    return add_arc(cut, one, zero, 0, err);
}

typedef struct search {
    const ferry_cut *cut;
    int32_t *distance; // arcs from the start, -1: out of reach
    int32_t *queue;
    int32_t *at; // the arc that a variable tries next
    int32_t *way;
} search;

// Distances from `start` over arcs with room, or, backward, to it.
static void measure(search *s, int32_t start, bool backward)
{
    const ferry_cut *cut = s->cut;
    for (size_t i = 0; i < cut->n_variables; i++) s->distance[i] = -1;
    size_t head = 0, tail = 0;
    s->distance[start] = 0;
    s->queue[tail++] = start;
    while (head < tail) {
        const int32_t from = s->queue[head++];
        for (int32_t a = cut->first[from]; a >= 0; a = cut->arcs[a].next) {
            const int32_t to = cut->arcs[a].to;
            if (s->distance[to] >= 0 || cut->arcs[backward ? a ^ 1 : a].room == 0) continue;
            s->distance[to] = s->distance[from] + 1;
            s->queue[tail++] = to;
        }
    }
}

// An arc of variable v that leads one step nearer to the end; -1 when none is left.
static int32_t step_from(search *s, int32_t v)
{
    const ferry_cut *cut = s->cut;
    for (; s->at[v] >= 0; s->at[v] = cut->arcs[s->at[v]].next) {
        const ferry_cut_arc *a = &cut->arcs[s->at[v]];
        if (a->room > 0 && s->distance[a->to] == s->distance[v] + 1) break;
    }
    return s->at[v];
}

static void send(const search *s, int32_t length)
{
    ferry_cut_arc *arcs = s->cut->arcs;
    int64_t least = INT64_MAX;
    for (int32_t i = 0; i < length; i++)
        if (arcs[s->way[i]].room < least) least = arcs[s->way[i]].room;
    for (int32_t i = 0; i < length; i++) {
        arcs[s->way[i]].room -= least;
        arcs[s->way[i] ^ 1].room += least;
    }
}

// Flow along all shortest ways.
static void fill(search *s)
{
    const ferry_cut *cut = s->cut;
    memcpy(s->at, cut->first, cut->n_variables * sizeof *s->at);
    int32_t length = 0, v = FERRY_CUT_ZERO;
    for (;;) {
        if (v == FERRY_CUT_ONE) {
            send(s, length);
            length = 0;
            v = FERRY_CUT_ZERO;
        }
        const int32_t a = step_from(s, v);
        if (a >= 0) {
            s->way[length++] = a;
            v = cut->arcs[a].to;
        } else if (v == FERRY_CUT_ZERO) {
            return;
        } else {
            // A dead end: the arc that led here is not tried again.
            v = cut->arcs[s->way[--length] ^ 1].to;
            s->at[v] = cut->arcs[s->at[v]].next;
        }
    }
}

ferry_status ferry_cut_solve(ferry_cut *cut, uint8_t **out_labels, ferry_error *err)
{
    const size_t n = cut->n_variables;
    search s = {.cut = cut,
                .distance = ferry_arena_alloc_array(cut->arena, n, sizeof *s.distance),
                .queue = ferry_arena_alloc_array(cut->arena, n, sizeof *s.queue),
                .at = ferry_arena_alloc_array(cut->arena, n, sizeof *s.at),
                .way = ferry_arena_alloc_array(cut->arena, n, sizeof *s.way)};
    *out_labels = ferry_arena_alloc_array(cut->arena, n, 1);
    if (!s.distance || !s.queue || !s.at || !s.way || !*out_labels) return ferry_fail_memory(err, "a cut");
    for (;;) {
        measure(&s, FERRY_CUT_ZERO, false);
        if (s.distance[FERRY_CUT_ONE] < 0) break;
        fill(&s);
    }
    // What can still reach the end must lie on its side; everything else may be 0.
    measure(&s, FERRY_CUT_ONE, true);
    for (size_t i = 0; i < n; i++) (*out_labels)[i] = s.distance[i] >= 0;
    return FERRY_OK;
}
