// SPDX-License-Identifier: Apache-2.0
// Which convolutions a plan runs by Winograd's filtering: those where the growth of weights buys most, none beyond the
// budget, and none at all where it is switched off, in engines planned anew too.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "support/engine_case.h"

static bool is_winograd(const ferry_plan_step *step)
{
    return strncmp(step->tactic, "conv_f32_winograd", 17) == 0;
}

static size_t count_winograd(const ferry_plan *plan)
{
    size_t n = 0;
    for (size_t i = 0; i < plan->n_steps; i++) n += is_winograd(&plan->steps[i]);
    return n;
}

// Two convolutions of equal weights, on a large and on a small picture.
static void build_pyramid(graph_builder *b)
{
    build_begin(b, 7);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x32x48x48");
    const ferry_value_id large =
        BUILD_NODE(b, "Conv", "large", "pads=1,1,1,1", x, build_constant(b, "w1", "32x32x3x3", 0.2f));
    const ferry_value_id pooled = BUILD_NODE(b, "MaxPool", "pool", "kernel_shape=2,2 strides=2,2", large);
    build_output(b, BUILD_NODE(b, "Conv", "small", "pads=1,1,1,1", pooled, build_constant(b, "w2", "32x32x3x3", 0.2f)));
    build_finish(b);
}

static void plan_by_cost(ferry_runtime *runtime, const ferry_graph *graph, uint64_t budget, ferry_plan *out)
{
    const ferry_plan_options options = {.packed_budget = budget, .threads = 1};
    MUST(ferry_plan_make(graph, runtime->devices, runtime->n_devices, &options, out, NULL, err));
}

static void packed_budget__is_spent_where_it_saves_most(void **state)
{
    (void)state;
    graph_builder b;
    build_pyramid(&b);
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    ferry_plan plan;
    plan_by_cost(runtime, &b.graph, 1, &plan);
    assert_int_equal(count_winograd(&plan), 0);
    const uint64_t least = plan.packed_bytes;
    ferry_plan_deinit(&plan);
    plan_by_cost(runtime, &b.graph, UINT64_MAX, &plan);
    assert_int_equal(count_winograd(&plan), 2);
    const uint64_t most = plan.packed_bytes;
    ferry_plan_deinit(&plan);
    assert_true(most > 3 * least);
    plan_by_cost(runtime, &b.graph, 0, &plan); // leaves room for the growth of one of them
    assert_int_equal(count_winograd(&plan), 1);
    for (size_t i = 0; i < plan.n_steps; i++)
        if (is_winograd(&plan.steps[i])) assert_string_equal(plan.steps[i].name, "large");
    ferry_plan_deinit(&plan);
    ferry_runtime_release(runtime);
    build_end(&b);
}

static void packed_budget__keeps_an_engine_under_two_and_a_half_times_its_weights(void **state)
{
    (void)state;
    graph_builder b;
    build_pyramid(&b);
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    ferry_engine *engine = test_engine(runtime, &b.graph, NULL);
    const uint64_t weights = (uint64_t)2 * 32 * 32 * 9 * sizeof(float);
    assert_true(engine->plan->packed_bytes + weights <= weights / 2 * 5);
    test_expect_reference(engine, &b.graph, 3, 1e-5);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

// The same engine where its tuned part is not used.
static ferry_engine *planned_anew(ferry_runtime *runtime, const ferry_engine *engine)
{
    void *data = NULL;
    size_t bytes = 0;
    ferry_engine *again = NULL;
    const ferry_engine_load_options options = {.size = sizeof options, .no_tuned = true};
    MUST(ferry_engine_serialize(engine, &data, &bytes, err));
    MUST(ferry_engine_load_memory(runtime, data, bytes, &options, &again, err));
    ferry_bytes_free(data, bytes);
    return again;
}

static void no_winograd__holds_for_engines_planned_anew(void **state)
{
    (void)state;
    graph_builder b;
    build_pyramid(&b);
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    for (int off = 0; off < 2; off++) {
        const ferry_build_options options = {.size = sizeof options, .threads = 1, .no_winograd = off};
        ferry_engine *engine = test_engine(runtime, &b.graph, &options);
        ferry_engine *again = planned_anew(runtime, engine);
        const char *text = ferry_engine_text(again, "winograd");
        if (off) {
            assert_int_equal(count_winograd(engine->plan), 0);
            assert_int_equal(count_winograd(again->plan), 0);
            assert_string_equal(text, "off");
        } else {
            assert_true(count_winograd(again->plan) > 0);
            assert_null(text);
        }
        test_expect_reference(again, &b.graph, 5, 1e-5);
        ferry_engine_release(again);
        ferry_engine_release(engine);
    }
    ferry_runtime_release(runtime);
    build_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packed_budget__is_spent_where_it_saves_most),
        cmocka_unit_test(packed_budget__keeps_an_engine_under_two_and_a_half_times_its_weights),
        cmocka_unit_test(no_winograd__holds_for_engines_planned_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
