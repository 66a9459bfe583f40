// SPDX-License-Identifier: Apache-2.0
// Largest first, each at the lowest offset where no buffer alive at the same time lies: near the best possible on such
// graphs, and the same on every machine (see "Efficient Memory Management for Deep Neural Net Inference", Pisarchyk and
// Lee, 2020).
#include "plan/memory_plan.h"

#include <stdlib.h>

typedef struct item {
    ferry_buffer_id buffer;
    int32_t first, last; // steps between which it is alive
    uint64_t bytes, offset;
} item;

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

static int larger_first(const void *a, const void *b)
{
    const item *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes > y->bytes ? -1 : 1;
    return x->buffer < y->buffer ? -1 : 1;
}

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

static uint64_t place(item *items, size_t n_placed, item *it, const item **at_once)
{
    it->offset = find_place(items, n_placed, it, at_once);
    return it->offset + it->bytes;
}

// Scratch goes into the gaps that buffers leave. They stay where they are, so no device needs more than with scratch
// apart.
static uint64_t place_workspaces(const ferry_plan *plan, int32_t device, const uint64_t *bytes, item *buffers,
                                 size_t n_buffers, const item **at_once, ferry_buffer_place *out)
{
    uint64_t end = 0;
    for (size_t s = 0; s < plan->n_steps; s++) {
        item scratch = {.first = (int32_t)s, .last = (int32_t)s, .bytes = bytes[s]};
        if (plan->steps[s].device != device || bytes[s] == 0) continue;
        const uint64_t its_end = place(buffers, n_buffers, &scratch, at_once);
        out[s] = (ferry_buffer_place){scratch.offset, scratch.bytes};
        if (its_end > end) end = its_end;
    }
    return end;
}

static void plan_device(const ferry_plan *plan, int32_t device, const uint64_t *bytes, const uint64_t *workspace_bytes,
                        bool keep_all, const int32_t *first, const int32_t *last, item *items, const item **at_once,
                        ferry_memory_plan *out)
{
    size_t n = 0;
    for (size_t b = 0; b < plan->n_buffers; b++) {
        const ferry_plan_buffer *buffer = &plan->buffers[b];
        if (buffer->device != device || buffer->alias_of != FERRY_NO_BUFFER || buffer->binding >= 0 || last[b] < 0)
            continue;
        items[n++] = (item){.buffer = (ferry_buffer_id)b,
                            .first = keep_all ? 0 : first[b],
                            .last = keep_all ? INT32_MAX : last[b],
                            .bytes = bytes[b]};
    }
    qsort(items, n, sizeof *items, larger_first);
    uint64_t end = 0;
    for (size_t i = 0; i < n; i++) {
        const uint64_t its_end = place(items, i, &items[i], at_once);
        if (its_end > end) end = its_end;
        out->places[items[i].buffer] = (ferry_buffer_place){items[i].offset, items[i].bytes};
        out->sum_bytes += items[i].bytes;
    }
    const uint64_t scratch_end = place_workspaces(plan, device, workspace_bytes, items, n, at_once, out->workspaces);
    out->arena_bytes[device] = scratch_end > end ? scratch_end : end;
}

ferry_status ferry_memory_plan_make(const ferry_plan *plan, const uint64_t *bytes, const uint64_t *workspace_bytes,
                                    bool keep_all, ferry_arena *arena, ferry_memory_plan *out, ferry_error *err)
{
    *out = (ferry_memory_plan){0};
    out->places = ferry_arena_alloc_array(arena, plan->n_buffers, sizeof *out->places);
    out->workspaces = ferry_arena_alloc_array(arena, plan->n_steps, sizeof *out->workspaces);
    int32_t *first = ferry_arena_alloc_array(arena, plan->n_buffers, sizeof *first);
    int32_t *last = ferry_arena_alloc_array(arena, plan->n_buffers, sizeof *last);
    item *items = ferry_arena_alloc_array(arena, plan->n_buffers, sizeof *items);
    const item **at_once = ferry_arena_alloc_array(arena, plan->n_buffers, sizeof *at_once);
    if (!out->places || !out->workspaces || !first || !last || !items || !at_once)
        return ferry_fail_memory(err, "a memory plan");
    find_lifetimes(plan, first, last);
    for (int32_t d = 0; d < plan->n_devices; d++)
        plan_device(plan, d, bytes, workspace_bytes, keep_all, first, last, items, at_once, out);
    for (size_t b = 0; b < plan->n_buffers; b++)
        out->places[b] = out->places[ferry_plan_root(plan, (ferry_buffer_id)b)];
    return FERRY_OK;
}
