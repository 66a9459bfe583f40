// SPDX-License-Identifier: Apache-2.0
// Tactics that are chosen on permission only, a vendor's libraries and TF32: what the builder's options say reaches the
// backend, and holds where the backend offers them all the same and where the engine is planned anew.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "backend/cpu/cpu.h"
#include "plan/select.h"
#include "plan/timing_cache.h"
#include "support/engine_case.h"

// --- A device that offers all of them, whatever is permitted ---------------------------------------------------------

static void fake_describe(const ferry_device *device, ferry_device_info *out)
{
    (void)device;
    *out = (ferry_device_info){.fingerprint = "fake", .host_memory = true, .synchronous = true};
}

static ferry_status fake_offer(ferry_device *device, const ferry_graph_view *view, ferry_node_id root,
                               const ferry_offer_sink *sink, ferry_error *err)
{
    (void)device;
    (void)view;
    const ferry_offer offers[] = {
        {.tactic = "own", .cost_us = 9},
        {.tactic = "library", .cost_us = 5, .flags = FERRY_OFFER_LIBRARY},
        {.tactic = "tf32", .cost_us = 4, .flags = FERRY_OFFER_TF32},
        {.tactic = "library_tf32", .cost_us = 3, .flags = FERRY_OFFER_LIBRARY | FERRY_OFFER_TF32},
    };
    for (size_t i = 0; i < FERRY_COUNT_OF(offers); i++) {
        ferry_offer offer = offers[i];
        offer.nodes = &root;
        offer.n_nodes = 1;
        FERRY_TRY(sink->take(sink->user, &offer, err));
    }
    return FERRY_OK;
}

static ferry_status fake_pack(ferry_device *device, const ferry_region *region, const char *tactic, void **out_data,
                              size_t *out_bytes, ferry_error *err)
{
    (void)device;
    (void)region;
    (void)tactic;
    (void)out_data;
    (void)out_bytes;
    (void)err;
    return FERRY_OK;
}

static void fake_libraries(ferry_device *device, char *out, size_t out_bytes)
{
    (void)device;
    snprintf(out, out_bytes, "Fake 1.2");
}

static const ferry_backend fake_backend = {.abi = FERRY_BACKEND_ABI,
                                           .name = "fake",
                                           .describe = fake_describe,
                                           .describe_libraries = fake_libraries,
                                           .offer = fake_offer,
                                           .pack = fake_pack};

static void build_relu(graph_builder *b)
{
    build_begin(b, 1);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "8");
    build_output(b, BUILD_NODE(b, "Relu", "a", "", x));
    build_finish(b);
}

// Times for all of the tactics, as a build would have measured them.
static ferry_timing_cache *know_times(const graph_builder *b)
{
    static const char *const keys[] = {"own", "library of Fake 1.2", "tf32", "library_tf32 of Fake 1.2"};
    ferry_timing_cache *times = NULL;
    ferry_arena arena;
    ferry_region region;
    int32_t *offsets = NULL;
    ferry_node_id *users = NULL;
    static const ferry_node_id node = 0;
    ferry_arena_init(&arena, ferry_heap_default());
    MUST(ferry_timing_cache_create(ferry_heap_default(), &times, err));
    MUST(ferry_graph_users(&b->graph, &arena, &offsets, &users, err));
    MUST(ferry_region_make(&b->graph, offsets, users, &node, 1, &arena, &region, err));
    for (size_t i = 0; i < FERRY_COUNT_OF(keys); i++)
        MUST(ferry_timing_cache_add(
            times, ferry_arena_printf(&arena, "fake|1 threads|%s|%s", keys[i], ferry_region_signature(&region, &arena)),
            (double)(9 - i), err));
    ferry_arena_deinit(&arena);
    return times;
}

static void a_plan__has_tactics_that_are_permitted_alone(void **state)
{
    (void)state;
    static const struct {
        bool timed, own, tf32;
        const char *tactic, *libraries;
    } rows[] = {
        {true, false, false, "library", "Fake 1.2"},
        {true, true, false, "own", NULL},
        {true, false, true, "library_tf32", "Fake 1.2"},
        {true, true, true, "tf32", NULL},
        {false, false, false, "own", NULL}, // by a guess, no engine comes to need a library
        {false, false, true, "tf32", NULL},
    };
    graph_builder b;
    build_relu(&b);
    ferry_device device = {.backend = &fake_backend, .heap = ferry_heap_default()}, *devices[] = {&device};
    ferry_timing_cache *times = know_times(&b);
    for (size_t i = 0; i < FERRY_COUNT_OF(rows); i++) {
        const ferry_plan_options options = {.threads = 1,
                                            .time_tactics = rows[i].timed,
                                            .timings = times,
                                            .own_tactics = rows[i].own,
                                            .tf32 = rows[i].tf32};
        ferry_plan plan;
        MUST(ferry_plan_make(&b.graph, devices, 1, &options, &plan, NULL, err));
        assert_string_equal(plan.steps[0].tactic, rows[i].tactic);
        assert_string_equal(plan.libraries ? plan.libraries : "", rows[i].libraries ? rows[i].libraries : "");
        ferry_plan_deinit(&plan);
    }
    ferry_timing_cache_destroy(times);
    build_end(&b);
}

// --- The CPU, with an ear at what it is asked ------------------------------------------------------------------------

static ferry_backend listening;
static const ferry_backend *const listening_alone[] = {&listening, NULL};
static uint32_t heard; // first: a plan that was made is checked afterwards, which permits all
enum { NOTHING = -1 };

static ferry_status listening_open(const char *selector, const ferry_heap *heap, const ferry_logger *logger,
                                   ferry_device **out, ferry_error *err)
{
    const ferry_status s = ferry_backend_cpu.open(selector, heap, logger, out, err);
    if (s == FERRY_OK) (*out)->backend = &listening;
    return s;
}

static ferry_status listening_offer(ferry_device *device, const ferry_graph_view *view, ferry_node_id root,
                                    const ferry_offer_sink *sink, ferry_error *err)
{
    if (heard == (uint32_t)NOTHING) heard = view->permitted;
    return ferry_backend_cpu.offer(device, view, root, sink, err);
}

static void load(ferry_runtime *runtime, const ferry_engine *engine, bool anew)
{
    void *data = NULL;
    size_t bytes = 0;
    ferry_engine *again = NULL;
    const ferry_engine_load_options options = {.size = sizeof options, .no_tuned = anew};
    MUST(ferry_engine_serialize(engine, &data, &bytes, err));
    heard = (uint32_t)NOTHING;
    MUST(ferry_engine_load_memory(runtime, data, bytes, &options, &again, err));
    ferry_bytes_free(data, bytes);
    ferry_engine_release(again);
}

static void options__reach_the_backend_and_last(void **state)
{
    (void)state;
    listening = ferry_backend_cpu;
    listening.open = listening_open;
    listening.offer = listening_offer;
    graph_builder b;
    build_relu(&b);
    ferry_runtime *runtime = test_runtime(listening_alone, "cpu", false, NULL);
    for (int i = 0; i < 4; i++) {
        const bool own = i & 1, tf32 = i & 2;
        const uint32_t wanted = (own ? 0u : (uint32_t)FERRY_OFFER_LIBRARY) | (tf32 ? (uint32_t)FERRY_OFFER_TF32 : 0u);
        const ferry_build_options options = {.size = sizeof options,
                                             .threads = 1,
                                             .no_timing = true,
                                             .tactics = own ? FERRY_TACTICS_OWN : FERRY_TACTICS_ALL,
                                             .tf32 = tf32};
        heard = (uint32_t)NOTHING;
        ferry_engine *engine = test_engine(runtime, &b.graph, &options);
        const char *tactics = ferry_engine_text(engine, "tactics"), *rounded = ferry_engine_text(engine, "tf32");
        assert_int_equal(heard, wanted);
        assert_int_equal(tactics && strcmp(tactics, "own") == 0, own);
        assert_int_equal(rounded && strcmp(rounded, "on") == 0, tf32);
        load(runtime, engine, true);
        assert_int_equal(heard, wanted);
        load(runtime, engine, false); // what a file's plan says was permitted when it was made
        assert_int_equal(heard, FERRY_OFFER_PERMITTED_ONLY);
        ferry_engine_release(engine);
    }
    ferry_runtime_release(runtime);
    build_end(&b);
}

static void tactics__that_are_none_are_refused(void **state)
{
    (void)state;
    graph_builder b;
    build_relu(&b);
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    ferry_build_options options = {.size = sizeof options};
    const int seven = 7;
    memcpy(&options.tactics, &seven, sizeof seven);
    ferry_engine *engine = NULL;
    ferry_error why = {.text = ""};
    assert_int_equal(test_build(runtime, &b.graph, &options, &engine, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "tactics 7"));
    ferry_runtime_release(runtime);
    build_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan__has_tactics_that_are_permitted_alone),
        cmocka_unit_test(options__reach_the_backend_and_last),
        cmocka_unit_test(tactics__that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
