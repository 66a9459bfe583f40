// SPDX-License-Identifier: Apache-2.0
// Memory plans of random step lists: nothing that is alive together shares a byte, and sharing saves memory.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "plan/memory_plan.h"

enum { MOST_BUFFERS = 2 * 40, MOST_STEPS = 40 };

typedef struct random_plan {
    ferry_plan plan;
    ferry_plan_buffer buffers[MOST_BUFFERS];
    ferry_plan_step steps[MOST_STEPS];
    ferry_buffer_id ends[MOST_STEPS][8];
    uint64_t bytes[MOST_BUFFERS], workspace[MOST_STEPS];
} random_plan;

static uint32_t draw(uint64_t *seed, uint32_t limit)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33) % limit;
}

// Each step reads some buffers made before and makes one; some of these are views, some in place, some bound.
static void make(random_plan *r, uint64_t seed, int32_t n_devices)
{
    memset(r, 0, sizeof *r);
    r->plan = (ferry_plan){.buffers = r->buffers, .steps = r->steps, .n_devices = n_devices};
    for (size_t s = 0; s < MOST_STEPS; s++) {
        ferry_plan_step *step = &r->steps[s];
        *step = (ferry_plan_step){.inputs = r->ends[s], .outputs = &r->ends[s][4], .n_outputs = 1};
        step->device = (int32_t)draw(&seed, (uint32_t)n_devices);
        if (draw(&seed, 2)) r->workspace[s] = 64 * (uint64_t)draw(&seed, 80);
        const uint32_t made = (uint32_t)r->plan.n_buffers;
        for (uint32_t i = 0; made && i < 1 + draw(&seed, 3); i++) {
            const uint32_t back = draw(&seed, made < 8 ? made : 8);
            step->inputs[step->n_inputs++] = (ferry_buffer_id)(made - 1 - back);
        }
        const ferry_buffer_id out = (ferry_buffer_id)r->plan.n_buffers++;
        r->buffers[out] = (ferry_plan_buffer){.device = step->device, .alias_of = FERRY_NO_BUFFER, .binding = -1};
        r->bytes[out] = 64 * (uint64_t)(1 + draw(&seed, 50));
        if (draw(&seed, 10) == 0) r->buffers[out].binding = 0;
        step->outputs[0] = out;
        if (draw(&seed, 3) == 0 && r->plan.n_buffers < MOST_BUFFERS) { // a view of it
            const ferry_buffer_id view = (ferry_buffer_id)r->plan.n_buffers++;
            r->buffers[view] =
                (ferry_plan_buffer){.device = step->device, .alias_of = out, .view = true, .binding = -1};
            r->bytes[view] = r->bytes[out];
        }
    }
    r->plan.n_steps = MOST_STEPS;
}

typedef struct life {
    int32_t first, last;
} life;

static life life_of(const random_plan *r, ferry_buffer_id root)
{
    life l = {INT32_MAX, -1};
    for (int32_t s = 0; s < MOST_STEPS; s++) {
        const ferry_plan_step *step = &r->steps[s];
        bool touched = ferry_plan_root(&r->plan, step->outputs[0]) == root;
        for (int32_t i = 0; i < step->n_inputs; i++) touched |= ferry_plan_root(&r->plan, step->inputs[i]) == root;
        if (touched && s < l.first) l.first = s;
        if (touched) l.last = s;
    }
    return l;
}

// The scratch of a step shares no byte with what is alive while it runs.
static void check_workspaces(const random_plan *r, const ferry_memory_plan *m, bool keep_all)
{
    for (int32_t s = 0; s < MOST_STEPS; s++) {
        const ferry_buffer_place *scratch = &m->workspaces[s];
        assert_int_equal(scratch->bytes, r->workspace[s]);
        assert_int_equal(scratch->offset % 64, 0);
        assert_true(scratch->offset + scratch->bytes <= m->arena_bytes[r->steps[s].device]);
        for (size_t b = 0; scratch->bytes && b < r->plan.n_buffers; b++) {
            const life x = life_of(r, (ferry_buffer_id)b);
            if (r->buffers[b].alias_of != FERRY_NO_BUFFER || r->buffers[b].binding >= 0 || x.last < 0) continue;
            if (r->buffers[b].device != r->steps[s].device || (!keep_all && (x.first > s || x.last < s))) continue;
            assert_true(scratch->offset >= m->places[b].offset + m->places[b].bytes ||
                        m->places[b].offset >= scratch->offset + scratch->bytes);
        }
    }
}

// Where the last buffer ends that has memory of its own on the device.
static uint64_t end_of_buffers(const random_plan *r, const ferry_memory_plan *m, int32_t device)
{
    uint64_t end = 0;
    for (size_t b = 0; b < r->plan.n_buffers; b++) {
        const bool placed = r->buffers[b].alias_of == FERRY_NO_BUFFER && r->buffers[b].binding < 0 &&
                            r->buffers[b].device == device && life_of(r, (ferry_buffer_id)b).last >= 0;
        if (placed && m->places[b].offset + m->places[b].bytes > end) end = m->places[b].offset + m->places[b].bytes;
    }
    return end;
}

static void check(const random_plan *r, const ferry_memory_plan *m, bool keep_all)
{
    check_workspaces(r, m, keep_all);
    uint64_t sum[FERRY_PLAN_MAX_DEVICES] = {0}, all = 0;
    for (size_t a = 0; a < r->plan.n_buffers; a++) {
        const ferry_buffer_id root = ferry_plan_root(&r->plan, (ferry_buffer_id)a);
        assert_int_equal(m->places[a].offset, m->places[root].offset);
        const life x = life_of(r, root);
        if ((ferry_buffer_id)a != root || r->buffers[a].binding >= 0 || x.last < 0) continue;
        const int32_t device = r->buffers[a].device;
        assert_int_equal(m->places[a].bytes, r->bytes[a]);
        assert_int_equal(m->places[a].offset % 64, 0);
        assert_true(m->places[a].offset + m->places[a].bytes <= m->arena_bytes[device]);
        sum[device] += r->bytes[a];
        all += r->bytes[a];
        for (size_t b = 0; b < a; b++) {
            const life y = life_of(r, (ferry_buffer_id)b);
            if (r->buffers[b].alias_of != FERRY_NO_BUFFER || r->buffers[b].binding >= 0 || y.last < 0) continue;
            if (r->buffers[b].device != device) continue;
            if (!keep_all && (x.first > y.last || y.first > x.last)) continue;
            assert_true(m->places[a].offset >= m->places[b].offset + m->places[b].bytes ||
                        m->places[b].offset >= m->places[a].offset + m->places[a].bytes);
        }
    }
    assert_int_equal(m->sum_bytes, all);
    for (int32_t d = 0; d < r->plan.n_devices; d++) {
        const uint64_t end = end_of_buffers(r, m, d);
        uint64_t most = 0;
        for (size_t s = 0; s < MOST_STEPS; s++)
            if (r->steps[s].device == d && r->workspace[s] > most) most = r->workspace[s];
        assert_true(end <= sum[d]);
        if (keep_all) assert_int_equal(end, sum[d]);
        assert_true(m->arena_bytes[d] >= end && m->arena_bytes[d] <= end + most);
        if (keep_all) assert_int_equal(m->arena_bytes[d], end + most);
    }
}

static void buffers__that_live_together_share_no_byte(void **state)
{
    (void)state;
    static random_plan r;
    uint64_t shared = 0, unshared = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        ferry_arena arena;
        ferry_memory_plan m, kept, again;
        ferry_arena_init(&arena, ferry_heap_default());
        make(&r, seed, 1 + (int32_t)(seed % 3));
        assert_int_equal(ferry_memory_plan_make(&r.plan, r.bytes, r.workspace, false, &arena, &m, NULL), FERRY_OK);
        check(&r, &m, false);
        assert_int_equal(ferry_memory_plan_make(&r.plan, r.bytes, r.workspace, true, &arena, &kept, NULL), FERRY_OK);
        check(&r, &kept, true);
        assert_int_equal(ferry_memory_plan_make(&r.plan, r.bytes, r.workspace, false, &arena, &again, NULL), FERRY_OK);
        assert_memory_equal(m.places, again.places, r.plan.n_buffers * sizeof *m.places);
        shared += m.arena_bytes[0];
        unshared += kept.arena_bytes[0];
        ferry_arena_deinit(&arena);
    }
    assert_true(shared * 2 < unshared);
}

// Scratch lies where other steps' buffers do: what counts is what a step needs in all.
static void scratch__lies_where_nothing_is_alive(void **state)
{
    (void)state;
    ferry_plan_buffer buffers[3];
    ferry_plan_step steps[3];
    ferry_buffer_id ids[3] = {0, 1, 2};
    const uint64_t bytes[3] = {64, 640, 640}, workspace[3] = {1216, 0, 64};
    for (int32_t i = 0; i < 3; i++) {
        buffers[i] = (ferry_plan_buffer){.alias_of = FERRY_NO_BUFFER, .binding = -1};
        steps[i] = (ferry_plan_step){
            .inputs = i ? &ids[i - 1] : NULL, .n_inputs = i ? 1 : 0, .outputs = &ids[i], .n_outputs = 1};
    }
    const ferry_plan plan = {.buffers = buffers, .steps = steps, .n_buffers = 3, .n_steps = 3, .n_devices = 1};
    ferry_arena arena;
    ferry_memory_plan m;
    ferry_arena_init(&arena, ferry_heap_default());
    assert_int_equal(ferry_memory_plan_make(&plan, bytes, workspace, false, &arena, &m, NULL), FERRY_OK);
    assert_int_equal(m.arena_bytes[0], 640 + 640 + 64); // what the last step needs, not 2 * 640 + 1216
    ferry_arena_deinit(&arena);
}

// Largest first would put what the second step makes where the third has no room for both; another order has.
static void other_orders__are_tried_where_the_first_leaves_a_gap(void **state)
{
    (void)state;
    enum { STEPS = 4 };
    ferry_plan_buffer buffers[STEPS];
    ferry_plan_step steps[STEPS];
    ferry_buffer_id ids[STEPS] = {0, 1, 2, 3};
    const uint64_t bytes[STEPS] = {6400, 3200, 3200, 4800}, workspace[STEPS] = {0};
    for (int32_t i = 0; i < STEPS; i++) {
        buffers[i] = (ferry_plan_buffer){.alias_of = FERRY_NO_BUFFER, .binding = -1};
        steps[i] = (ferry_plan_step){
            .inputs = i ? &ids[i - 1] : NULL, .n_inputs = i ? 1 : 0, .outputs = &ids[i], .n_outputs = 1};
    }
    const ferry_plan plan = {.buffers = buffers, .steps = steps, .n_buffers = STEPS, .n_steps = STEPS, .n_devices = 1};
    ferry_arena arena;
    ferry_memory_plan m;
    ferry_arena_init(&arena, ferry_heap_default());
    assert_int_equal(ferry_memory_plan_make(&plan, bytes, workspace, false, &arena, &m, NULL), FERRY_OK);
    assert_int_equal(m.arena_bytes[0], 6400 + 3200);
    ferry_arena_deinit(&arena);
}

// A chain of equal buffers needs two of them.
static void chain__needs_two_buffers(void **state)
{
    (void)state;
    ferry_plan_buffer buffers[10];
    ferry_plan_step steps[10];
    ferry_buffer_id ids[10];
    uint64_t bytes[10];
    const uint64_t workspace[10] = {0};
    for (int32_t i = 0; i < 10; i++) {
        ids[i] = i;
        bytes[i] = 640;
        buffers[i] = (ferry_plan_buffer){.alias_of = FERRY_NO_BUFFER, .binding = -1};
        steps[i] = (ferry_plan_step){
            .inputs = i ? &ids[i - 1] : NULL, .n_inputs = i ? 1 : 0, .outputs = &ids[i], .n_outputs = 1};
    }
    const ferry_plan plan = {.buffers = buffers, .steps = steps, .n_buffers = 10, .n_steps = 10, .n_devices = 1};
    ferry_arena arena;
    ferry_memory_plan m;
    ferry_arena_init(&arena, ferry_heap_default());
    assert_int_equal(ferry_memory_plan_make(&plan, bytes, workspace, false, &arena, &m, NULL), FERRY_OK);
    assert_int_equal(m.arena_bytes[0], 2 * 640);
    assert_int_equal(m.sum_bytes, 10 * 640);
    ferry_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers__that_live_together_share_no_byte),
        cmocka_unit_test(scratch__lies_where_nothing_is_alive),
        cmocka_unit_test(other_orders__are_tried_where_the_first_leaves_a_gap),
        cmocka_unit_test(chain__needs_two_buffers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
