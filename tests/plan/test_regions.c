// SPDX-License-Identifier: Apache-2.0
// Which regions a plan is made of: those that cost least, whether costs are measured or not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "backend/cpu/cpu.h"
#include "support/engine_case.h"

// --- A device whose prices a test sets -------------------------------------------------------------------------------

/// Microseconds of regions of a chain of three nodes: single ones, the first two, all three. 0: not offered.
typedef struct prices {
    double single, first_two, all;
} prices;
static prices current;

static void fake_describe(const ferry_device *device, ferry_device_info *out)
{
    (void)device;
    *out = (ferry_device_info){.fingerprint = "fake", .host_memory = true, .synchronous = true};
}

static ferry_status offer_chain(const ferry_offer_sink *sink, ferry_node_id root, int32_t n, double us,
                                ferry_error *err)
{
    ferry_node_id nodes[3];
    for (int32_t i = 0; i < n; i++) nodes[i] = root - n + 1 + i;
    const ferry_offer offer = {.tactic = "fake", .nodes = nodes, .n_nodes = n, .cost_us = us};
    return us > 0 ? sink->take(sink->user, &offer, err) : FERRY_OK;
}

static ferry_status fake_offer(ferry_device *device, const ferry_graph_view *view, ferry_node_id root,
                               const ferry_offer_sink *sink, ferry_error *err)
{
    (void)device;
    (void)view;
    FERRY_TRY(offer_chain(sink, root, 1, current.single, err));
    if (root == 1) FERRY_TRY(offer_chain(sink, root, 2, current.first_two, err));
    return root == 2 ? offer_chain(sink, root, 3, current.all, err) : FERRY_OK;
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

static const ferry_backend fake_backend = {
    .abi = FERRY_BACKEND_ABI, .name = "fake", .describe = fake_describe, .offer = fake_offer, .pack = fake_pack};

static size_t steps_at(const ferry_graph *graph, prices p)
{
    ferry_device device = {.backend = &fake_backend, .heap = ferry_heap_default()}, *devices[] = {&device};
    const ferry_plan_options options = {.threads = 1};
    ferry_plan plan;
    current = p;
    MUST(ferry_plan_make(graph, devices, 1, &options, &plan, NULL, err));
    const size_t n = plan.n_steps;
    ferry_plan_deinit(&plan);
    return n;
}

static void a_region__is_chosen_against_its_cheapest_parts(void **state)
{
    (void)state;
    graph_builder b;
    build_begin(&b, 1);
    const ferry_value_id x = build_input(&b, "x", FERRY_F32, "8");
    const ferry_value_id y = BUILD_NODE(&b, "Relu", "a", "", x);
    build_output(&b, BUILD_NODE(&b, "Abs", "c", "", BUILD_NODE(&b, "Neg", "b", "", y)));
    build_finish(&b);
    assert_int_equal(steps_at(&b.graph, (prices){10, 0, 0}), 3);
    assert_int_equal(steps_at(&b.graph, (prices){10, 19, 0}), 2);
    assert_int_equal(steps_at(&b.graph, (prices){10, 21, 0}), 3);
    assert_int_equal(steps_at(&b.graph, (prices){10, 19, 28}), 1);
    assert_int_equal(steps_at(&b.graph, (prices){10, 12, 25}), 2); // 25 is less than 30, but more than 12 + 10
    assert_int_equal(steps_at(&b.graph, (prices){10, 21, 31}), 3);
    build_end(&b);
}

// --- The CPU's regions -----------------------------------------------------------------------------------------------

// Two convolutions with an activation that is no epilogue, the second with a residual, as detectors have them.
static void build_bottleneck(graph_builder *b)
{
    build_begin(b, 3);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x16x12x12");
    const ferry_value_id w = build_constant(b, "w", "16x16x3x3", 0.2f), bias = build_constant(b, "b", "16", 1);
    ferry_value_id y = BUILD_NODE(b, "Conv", "c1", "pads=1,1,1,1", x, w, bias);
    y = BUILD_NODE(b, "Conv", "c2", "pads=1,1,1,1", BUILD_NODE(b, "ferry.Silu", "s1", "", y), w, bias);
    y = BUILD_NODE(b, "Add", "sum", "", x, BUILD_NODE(b, "ferry.Silu", "s2", "", y));
    build_output(b, y);
    build_finish(b);
}

static int32_t largest_region(const ferry_plan *plan)
{
    int32_t most = 0;
    for (size_t s = 0; s < plan->n_steps; s++)
        if (plan->steps[s].n_nodes > most) most = plan->steps[s].n_nodes;
    return most;
}

static void activations_and_residuals__go_into_the_store_by_estimate(void **state)
{
    (void)state;
    graph_builder b;
    build_bottleneck(&b);
    ferry_device *device = NULL;
    MUST(ferry_backend_cpu.open("", ferry_heap_default(), NULL, &device, err));
    ferry_plan plan;
    const ferry_plan_options options = {.threads = 1}, single = {.threads = 1, .single_nodes = true};
    MUST(ferry_plan_make(&b.graph, &device, 1, &options, &plan, NULL, err));
    assert_int_equal(largest_region(&plan), 3);
    size_t regions = 0;
    for (size_t s = 0; s < plan.n_steps; s++) regions += plan.steps[s].kind == FERRY_STEP_REGION;
    assert_int_equal(regions, 2);
    ferry_plan_deinit(&plan);
    MUST(ferry_plan_make(&b.graph, &device, 1, &single, &plan, NULL, err));
    assert_int_equal(largest_region(&plan), 1);
    ferry_plan_deinit(&plan);
    ferry_backend_cpu.close(device);
    build_end(&b);
}

static void what_is_chosen_by_time__computes_the_same(void **state)
{
    (void)state;
    graph_builder b;
    build_bottleneck(&b);
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    ferry_engine *engine = test_engine(runtime, &b.graph, test_no_passes());
    test_expect_reference(engine, &b.graph, 7, 1e-5);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_region__is_chosen_against_its_cheapest_parts),
        cmocka_unit_test(activations_and_residuals__go_into_the_store_by_estimate),
        cmocka_unit_test(what_is_chosen_by_time__computes_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
