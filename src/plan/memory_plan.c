// SPDX-License-Identifier: Apache-2.0
// Places tensors and scratch one after the other, each at the lowest offset where nothing is alive at the same time:
// largest first, which is near the best possible on such graphs, and the same on every machine (see "Efficient Memory
// Management for Deep Neural Net Inference", Pisarchyk and Lee, 2020). Where that needs more than its most wanting step
// does, other orders are tried.
#include "plan/memory_plan.h"

#include <stdlib.h>

typedef struct item {
    ferry_buffer_id buffer; // FERRY_NO_BUFFER: scratch of step `first`
    int32_t first, last;    // steps between which it is alive
    uint64_t bytes, offset;
    uint64_t crowd; // most that is alive together with it, itself included
} item;

// What the tries to place the items of one device work on.
typedef struct placing {
    item *items;
    size_t n_items;
    const item **at_once; // [n_items]: scratch
    uint64_t *needs;      // [n_steps]: bytes that are alive while each step runs
    uint64_t least;       // the most that a step needs: no order can do with less
} placing;

// Steps at which each root buffer is first made and last read.
static void find_lifetimes(const ferry_plan *plan, int32_t *first, int32_t *last)
{
    for (size_t b = 0; b < plan->n_buffers; b++) {
        first[b] = INT32_MAX;
        last[b] = -1;
    }
    for (size_t s = 0; s < plan->n_steps; s++) {
        const ferry_plan_step *step = &plan->steps[s];
        for (int32_t i = 0; i < step->n_inputs + step->n_outputs; i++) {
            const ferry_buffer_id b = i < step->n_inputs ? step->inputs[i] : step->outputs[i - step->n_inputs];
            const ferry_buffer_id root = ferry_plan_root(plan, b);
            if ((int32_t)s < first[root]) first[root] = (int32_t)s;
            if ((int32_t)s > last[root]) last[root] = (int32_t)s;
        }
    }
}

static int by_bytes(const item *x, const item *y)
{
    if (x->bytes != y->bytes) return x->bytes > y->bytes ? -1 : 1;
    if (x->buffer != y->buffer) return x->buffer < y->buffer ? -1 : 1;
    return x->first < y->first ? -1 : x->first > y->first;
}

static int larger_first(const void *a, const void *b)
{
    return by_bytes(a, b);
}

// Buffers lie as if there were no scratch, which goes into the gaps: no more is needed than with scratch apart.
static int scratch_last(const void *a, const void *b)
{
    const item *x = a, *y = b;
    const bool x_scratch = x->buffer == FERRY_NO_BUFFER, y_scratch = y->buffer == FERRY_NO_BUFFER;
    return x_scratch != y_scratch ? (x_scratch ? 1 : -1) : by_bytes(x, y);
}

// What is alive in the most wanting step lies without a gap.
static int most_crowded_first(const void *a, const void *b)
{
    const item *x = a, *y = b;
    if (x->crowd != y->crowd) return x->crowd > y->crowd ? -1 : 1;
    return by_bytes(x, y);
}

static int first_come(const void *a, const void *b)
{
    const item *x = a, *y = b;
    if (x->first != y->first) return x->first < y->first ? -1 : 1;
    return by_bytes(x, y);
}

typedef int (*order)(const void *, const void *);
static const order orders[] = {scratch_last, larger_first, most_crowded_first, first_come};

static int by_offset(const void *a, const void *b)
{
    const item *x = *(const item *const *)a, *y = *(const item *const *)b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    return 0;
}

// Lowest offset for `it` among those placed already; `at_once` is scratch.
static uint64_t find_place(const item *placed, size_t n_placed, const item *it, const item **at_once)
{
    size_t n = 0;
    for (size_t i = 0; i < n_placed; i++)
        if (placed[i].first <= it->last && it->first <= placed[i].last) at_once[n++] = &placed[i];
    qsort(at_once, n, sizeof *at_once, by_offset);
    uint64_t offset = 0;
    for (size_t i = 0; i < n; i++) {
        if (at_once[i]->offset >= offset + it->bytes) break;
        if (at_once[i]->offset + at_once[i]->bytes > offset) offset = at_once[i]->offset + at_once[i]->bytes;
    }
    return offset;
}

// Places all items in the order that they have; returns where the last one ends.
static uint64_t place_all(placing *p)
{
    uint64_t end = 0;
    for (size_t i = 0; i < p->n_items; i++) {
        item *it = &p->items[i];
        it->offset = find_place(p->items, i, it, p->at_once);
        if (it->offset + it->bytes > end) end = it->offset + it->bytes;
    }
    return end;
}

static void keep(const placing *p, uint64_t end, int32_t device, ferry_memory_plan *out)
{
    for (size_t i = 0; i < p->n_items; i++) {
        const item *it = &p->items[i];
        *(it->buffer == FERRY_NO_BUFFER ? &out->workspaces[it->first] : &out->places[it->buffer]) =
            (ferry_buffer_place){it->offset, it->bytes};
    }
    out->arena_bytes[device] = end;
}

static void find_crowds(placing *p, size_t n_steps)
{
    p->least = 0;
    for (size_t s = 0; s < n_steps; s++) p->needs[s] = 0;
    for (size_t i = 0; i < p->n_items; i++)
        for (int32_t s = p->items[i].first; s <= p->items[i].last && (size_t)s < n_steps; s++) {
            p->needs[s] += p->items[i].bytes;
            if (p->needs[s] > p->least) p->least = p->needs[s];
        }
    for (size_t i = 0; i < p->n_items; i++)
        for (int32_t s = p->items[i].first; s <= p->items[i].last && (size_t)s < n_steps; s++)
            if (p->needs[s] > p->items[i].crowd) p->items[i].crowd = p->needs[s];
}

static void find_items(placing *p, const ferry_plan *plan, int32_t device, const uint64_t *bytes,
                       const uint64_t *workspace_bytes, bool keep_all, const int32_t *first, const int32_t *last)
{
    p->n_items = 0;
    for (size_t b = 0; b < plan->n_buffers; b++) {
        const ferry_plan_buffer *buffer = &plan->buffers[b];
        if (buffer->device != device || buffer->alias_of != FERRY_NO_BUFFER || buffer->binding >= 0 || last[b] < 0)
            continue;
        p->items[p->n_items++] = (item){.buffer = (ferry_buffer_id)b,
                                        .first = keep_all ? 0 : first[b],
                                        .last = keep_all ? INT32_MAX : last[b],
                                        .bytes = bytes[b]};
    }
    for (size_t s = 0; s < plan->n_steps; s++)
        if (plan->steps[s].device == device && workspace_bytes[s] > 0)
            p->items[p->n_items++] =
                (item){.buffer = FERRY_NO_BUFFER, .first = (int32_t)s, .last = (int32_t)s, .bytes = workspace_bytes[s]};
    find_crowds(p, plan->n_steps);
}

static void plan_device(placing *p, int32_t device, ferry_memory_plan *out)
{
    uint64_t best = UINT64_MAX;
    for (size_t i = 0; i < FERRY_COUNT_OF(orders) && best > p->least; i++) {
        qsort(p->items, p->n_items, sizeof *p->items, orders[i]);
        const uint64_t end = place_all(p);
        if (end < best) keep(p, end, device, out);
        if (end < best) best = end;
    }
    for (size_t i = 0; i < p->n_items; i++)
        if (p->items[i].buffer != FERRY_NO_BUFFER) out->sum_bytes += p->items[i].bytes;
}

ferry_status ferry_memory_plan_make(const ferry_plan *plan, const uint64_t *bytes, const uint64_t *workspace_bytes,
                                    bool keep_all, ferry_arena *arena, ferry_memory_plan *out, ferry_error *err)
{
    *out = (ferry_memory_plan){0};
    placing p = {0};
    const size_t most = plan->n_buffers + plan->n_steps;
    out->places = ferry_arena_alloc_array(arena, plan->n_buffers, sizeof *out->places);
    out->workspaces = ferry_arena_alloc_array(arena, plan->n_steps, sizeof *out->workspaces);
    out->first = ferry_arena_alloc_array(arena, plan->n_buffers, sizeof *out->first);
    out->last = ferry_arena_alloc_array(arena, plan->n_buffers, sizeof *out->last);
    p.items = ferry_arena_alloc_array(arena, most, sizeof *p.items);
    p.at_once = ferry_arena_alloc_array(arena, most, sizeof *p.at_once);
    if (!out->places || !out->workspaces || !out->first || !out->last || !p.items || !p.at_once)
        return ferry_fail_memory(err, "a memory plan");
    find_lifetimes(plan, out->first, out->last);
    for (int32_t d = 0; d < plan->n_devices; d++) {
        p.needs = out->needs[d] = ferry_arena_alloc_array(arena, plan->n_steps, sizeof *p.needs);
        if (!p.needs) return ferry_fail_memory(err, "a memory plan");
        find_items(&p, plan, d, bytes, workspace_bytes, keep_all, out->first, out->last);
        plan_device(&p, d, out);
    }
    for (size_t b = 0; b < plan->n_buffers; b++)
        out->places[b] = out->places[ferry_plan_root(plan, (ferry_buffer_id)b)];
    return FERRY_OK;
}
