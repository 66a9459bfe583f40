// SPDX-License-Identifier: Apache-2.0
// Timing under a budget: the most promising first, nothing packed that is not timed, a plan whatever the budget, and
// its end kept. The clock counts how often it is asked, so that no test depends on the machine's speed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "backend/cpu/cpu.h"
#include "plan/timing_cache.h"
#include "support/engine_case.h"
#include "support/mock_device.h"

static double asked;
static double count(void)
{
    return asked++;
}

// --- A device with an ear at what it is asked ------------------------------------------------------------------------

static const ferry_backend *real;
static ferry_backend listening;
static const ferry_backend *const listening_alone[] = {&listening, NULL};
static size_t packed, prepared;
static char first_prepared[2][64]; // names of the nodes that the first regions end in

static ferry_status hear_open(const char *selector, const ferry_heap *heap, const ferry_logger *logger,
                              ferry_device **out, ferry_error *err)
{
    const ferry_status s = real->open(selector, heap, logger, out, err);
    if (s == FERRY_OK) (*out)->backend = &listening;
    return s;
}

static ferry_status hear_pack(ferry_device *device, const ferry_region *region, const char *tactic, void **out_data,
                              size_t *out_bytes, ferry_error *err)
{
    __atomic_fetch_add(&packed, 1, __ATOMIC_RELAXED);
    return real->pack(device, region, tactic, out_data, out_bytes, err);
}

static ferry_status hear_prepare(ferry_device *device, const ferry_region *region, const char *tactic,
                                 const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *data,
                                 size_t bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    if (prepared < 2)
        snprintf(first_prepared[prepared], sizeof *first_prepared, "%s",
                 region->graph->nodes[region->nodes[region->n_nodes - 1]].name);
    prepared++;
    return real->prepare(device, region, tactic, in, out, data, bytes, out_kernel, err);
}

static ferry_runtime *listen_to(const ferry_backend *backend, const char *device, test_log *log)
{
    real = backend;
    listening = *backend;
    listening.open = hear_open;
    listening.pack = hear_pack;
    listening.prepare = hear_prepare;
    return test_runtime(listening_alone, device, false, log);
}

// --- Networks and plans ----------------------------------------------------------------------------------------------

// Three convolutions that are unlike each other, the one in the middle the largest by far.
static void build_three(graph_builder *b)
{
    build_begin(b, 7);
    ferry_value_id x = build_input(b, "x", FERRY_F32, "1x8x24x24");
    x = BUILD_NODE(b, "Conv", "first", "pads=1,1,1,1", x, build_constant(b, "w1", "48x8x3x3", 0.2f));
    x = BUILD_NODE(b, "Conv", "large", "pads=1,1,1,1", x, build_constant(b, "w2", "64x48x3x3", 0.2f));
    x = BUILD_NODE(b, "MaxPool", "pool", "kernel_shape=2,2 strides=2,2", x);
    build_output(b, BUILD_NODE(b, "Conv", "last", "", x, build_constant(b, "w3", "8x64x1x1", 0.2f)));
    build_finish(b);
}

static void make(ferry_runtime *runtime, const ferry_graph *graph, double seconds, ferry_timing_cache *timings,
                 ferry_plan *out)
{
    const ferry_plan_options options = {.time_tactics = seconds != 0,
                                        .timing_seconds = seconds,
                                        .clock_s = count,
                                        .timings = timings,
                                        .packed_budget = UINT64_MAX,
                                        .threads = 1,
                                        .logger = &runtime->logger};
    asked = 1;
    packed = prepared = 0;
    MUST(ferry_plan_make(graph, runtime->devices, runtime->n_devices, &options, out, NULL, err));
}

static void expect_same(const ferry_plan *a, const ferry_plan *b)
{
    assert_int_equal(a->n_steps, b->n_steps);
    for (size_t i = 0; i < a->n_steps; i++) assert_string_equal(a->steps[i].tactic, b->steps[i].tactic);
}

// How many were timed, of how many, by the log; all of them where it says nothing.
static size_t timed_of(test_log *log, size_t *out_all)
{
    size_t timed = 0;
    const char *at = strstr(log->text, "tactics were timed");
    if (!at) return SIZE_MAX;
    while (at > log->text && at[-1] != '\n') at--;
    while (*at && (*at < '0' || *at > '9')) at++;
    assert_int_equal(sscanf(at, "%zu of %zu", &timed, out_all), 2);
    return timed;
}

static void no_time_at_all__is_the_plan_by_estimates(void **state)
{
    (void)state;
    graph_builder b;
    test_log log;
    build_three(&b);
    test_log_init(&log);
    ferry_runtime *runtime = listen_to(&ferry_backend_cpu, "cpu", &log);
    ferry_plan untimed, plan;
    make(runtime, &b.graph, 0, NULL, &untimed);
    make(runtime, &b.graph, 1e-9, NULL, &plan);
    expect_same(&plan, &untimed);
    size_t all = 0;
    assert_int_equal(timed_of(&log, &all), 0);
    assert_true(all > 3);
    assert_int_equal(prepared, 0);
    ferry_plan_deinit(&plan);
    ferry_plan_deinit(&untimed);
    ferry_runtime_release(runtime);
    build_end(&b);
}

static void a_little_time__goes_to_what_is_most_promising(void **state)
{
    (void)state;
    graph_builder b;
    build_three(&b);
    ferry_runtime *runtime = listen_to(&ferry_backend_cpu, "cpu", NULL);
    ferry_plan plan;
    make(runtime, &b.graph, 4, NULL, &plan);
    assert_true(prepared >= 2);
    assert_string_equal(first_prepared[0], "large");
    for (size_t i = 0; i < plan.n_steps; i++)
        if (strstr(plan.steps[i].name, "large")) assert_true(plan.steps[i].measured_us > 0);
    ferry_plan_deinit(&plan);
    ferry_runtime_release(runtime);
    build_end(&b);
}

// Between two looks at the clock lies one round of a few tactics at most: a budget of n looks ends after n and a few.
static void budget__is_kept(void **state)
{
    (void)state;
    graph_builder b;
    build_three(&b);
    size_t before = 0;
    for (double seconds = 1; seconds < 2000; seconds *= 3) {
        test_log log;
        test_log_init(&log);
        ferry_runtime *runtime = listen_to(&ferry_backend_cpu, "cpu", &log);
        ferry_plan plan;
        make(runtime, &b.graph, seconds, NULL, &plan);
        size_t all = 0;
        const size_t timed = timed_of(&log, &all);
        assert_true(timed >= before); // more time, more tactics
        if (timed != SIZE_MAX) {
            assert_true(timed < all);
            assert_true(asked < 1 + seconds + 8);
        }
        before = timed;
        ferry_plan_deinit(&plan);
        ferry_runtime_release(runtime);
    }
    assert_int_equal(before, SIZE_MAX); // all of them in the end
    build_end(&b);
}

static void measured_times__are_kept_and_used(void **state)
{
    (void)state;
    graph_builder b;
    test_log log;
    build_three(&b);
    test_log_init(&log);
    ferry_runtime *runtime = listen_to(&ferry_backend_cpu, "cpu", &log);
    ferry_timing_cache *timings = NULL;
    MUST(ferry_timing_cache_create(ferry_heap_default(), &timings, err));
    ferry_plan plan;
    size_t all = 0;
    make(runtime, &b.graph, 20, timings, &plan);
    const size_t timed = timed_of(&log, &all);
    assert_true(timed > 0 && timed < all);
    assert_int_equal(ferry_timing_cache_count(timings), timed);
    ferry_plan_deinit(&plan);
    log.used = 0;
    log.text[0] = 0;
    size_t left = 0;
    make(runtime, &b.graph, 1e-9, timings, &plan);
    assert_int_equal(timed_of(&log, &left), 0);
    assert_int_equal(left, all - timed);
    ferry_plan_deinit(&plan);
    ferry_timing_cache_destroy(timings);
    ferry_runtime_release(runtime);
    build_end(&b);
}

// --- A device that compiles when it packs ----------------------------------------------------------------------------

static void nothing__is_packed_but_what_is_timed_or_chosen(void **state)
{
    (void)state;
    graph_builder b;
    build_begin(&b, 3);
    ferry_value_id x = build_input(&b, "x", FERRY_F32, "1x4x8x8");
    for (int i = 0; i < 3; i++) x = BUILD_NODE(&b, "Relu", i == 0 ? "a" : i == 1 ? "b" : "c", "", x);
    build_output(&b, x);
    build_finish(&b);
    ferry_runtime *runtime = listen_to(&mock_backend, "mock", NULL);
    ferry_plan plan;
    make(runtime, &b.graph, 1e-9, NULL, &plan);
    size_t regions = 0;
    for (size_t i = 0; i < plan.n_steps; i++) regions += plan.steps[i].kind == FERRY_STEP_REGION;
    assert_int_equal(packed, regions);
    ferry_plan_deinit(&plan);
    make(runtime, &b.graph, 1e9, NULL, &plan);
    // Three layers that are alike, with two tactics: each packed ahead and to be timed, once for all of them.
    assert_int_equal(prepared, 2);
    assert_int_equal(packed, regions + 4);
    for (size_t i = 0; i < plan.n_steps; i++)
        if (plan.steps[i].kind == FERRY_STEP_REGION) assert_true(plan.steps[i].measured_us >= 0);
    ferry_plan_deinit(&plan);
    ferry_runtime_release(runtime);
    build_end(&b);
}

// A cap on scratch is held for what is timed or chosen; the others are not compiled for it.
static void a_cap__packs_what_is_chosen_alone(void **state)
{
    (void)state;
    graph_builder b;
    build_begin(&b, 3);
    const ferry_value_id x = build_input(&b, "x", FERRY_F32, "1x4x8x8");
    build_output(&b, BUILD_NODE(&b, "Relu", "a", "", x));
    build_finish(&b);
    ferry_runtime *runtime = listen_to(&mock_backend, "mock", NULL);
    for (int fits = 0; fits < 2; fits++) {
        const ferry_plan_options options = {.workspace_bytes = fits ? 1 << 20 : 64, .threads = 1};
        ferry_plan plan;
        ferry_error why = {.text = ""};
        packed = prepared = 0;
        const ferry_status s =
            ferry_plan_make(&b.graph, runtime->devices, runtime->n_devices, &options, &plan, NULL, &why);
        assert_int_equal(s, fits ? FERRY_OK : FERRY_ERR_OUT_OF_MEMORY);
        assert_int_equal(prepared, fits ? 1 : 2); // of two tactics
        if (fits)
            ferry_plan_deinit(&plan);
        else
            assert_non_null(strstr(why.text, "raise --workspace"));
    }
    ferry_runtime_release(runtime);
    build_end(&b);
}

// --- The builder's option --------------------------------------------------------------------------------------------

static void build_seconds__reach_the_plan(void **state)
{
    (void)state;
    graph_builder b;
    test_log log;
    build_three(&b);
    test_log_init(&log);
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, &log);
    ferry_build_options options = {.size = sizeof options, .threads = 1, .build_seconds = 1e-9};
    ferry_engine *engine = test_engine(runtime, &b.graph, &options);
    assert_non_null(strstr(log.text, "0 of "));
    test_expect_reference(engine, &b.graph, 3, 1e-5);
    ferry_engine_release(engine);
    options.build_seconds = -1;
    ferry_error why = {.text = ""};
    assert_int_equal(test_build(runtime, &b.graph, &options, &engine, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "build_seconds"));
    ferry_runtime_release(runtime);
    build_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_time_at_all__is_the_plan_by_estimates),
        cmocka_unit_test(a_little_time__goes_to_what_is_most_promising),
        cmocka_unit_test(budget__is_kept),
        cmocka_unit_test(measured_times__are_kept_and_used),
        cmocka_unit_test(nothing__is_packed_but_what_is_timed_or_chosen),
        cmocka_unit_test(a_cap__packs_what_is_chosen_alone),
        cmocka_unit_test(build_seconds__reach_the_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
