// SPDX-License-Identifier: Apache-2.0
// Plans for little memory: what they leave of the peak, for how much more time, and that others are not changed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "backend/cpu/cpu.h"
#include "support/engine_case.h"
#include "support/failing_heap.h"

// --- A device whose prices a test sets ------------------------------------------------------------------------------

/// Microseconds of regions of a chain of three nodes: each node, all three; and of a way to run the first node that
/// needs no scratch. 0: not offered.
typedef struct prices {
    double single, all, frugal;
} prices;
static prices current;

static void fake_describe(const ferry_device *device, ferry_device_info *out)
{
    (void)device;
    *out = (ferry_device_info){.fingerprint = "fake", .host_memory = true, .synchronous = true};
}

static ferry_status offer_chain(const ferry_offer_sink *sink, const char *tactic, ferry_node_id root, int32_t n,
                                double us, ferry_error *err)
{
    ferry_node_id nodes[3];
    for (int32_t i = 0; i < n; i++) nodes[i] = root - n + 1 + i;
    const ferry_offer offer = {.tactic = tactic, .nodes = nodes, .n_nodes = n, .cost_us = us};
    return us > 0 ? sink->take(sink->user, &offer, err) : FERRY_OK;
}

static ferry_status fake_offer(ferry_device *device, const ferry_graph_view *view, ferry_node_id root,
                               const ferry_offer_sink *sink, ferry_error *err)
{
    (void)device;
    (void)view;
    FERRY_TRY(offer_chain(sink, "fake", root, 1, current.single, err));
    if (root == 0) FERRY_TRY(offer_chain(sink, "frugal", root, 1, current.frugal, err));
    return root == 2 ? offer_chain(sink, "fused", root, 3, current.all, err) : FERRY_OK;
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

// The first node's usual tactic needs twice as much scratch as it makes.
static ferry_status fake_prepare(ferry_device *device, const ferry_region *region, const char *tactic,
                                 const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                                 size_t packed_bytes, ferry_kernel **out_kernel, ferry_error *err)
{
    static ferry_kernel kernel;
    (void)in;
    (void)packed;
    (void)packed_bytes;
    kernel = (ferry_kernel){.device = device};
    *out_kernel = &kernel;
    if (region->nodes[0] != 0 || strcmp(tactic, "fake") != 0) return FERRY_OK;
    if (!ferry_tensor_desc_bytes(&out[0], &kernel.workspace_bytes)) return ferry_fail_memory(err, "scratch");
    kernel.workspace_bytes *= 2;
    return FERRY_OK;
}

static void fake_release(ferry_kernel *kernel)
{
    (void)kernel;
}

static const ferry_backend fake_backend = {.abi = FERRY_BACKEND_ABI,
                                           .name = "fake",
                                           .describe = fake_describe,
                                           .offer = fake_offer,
                                           .pack = fake_pack,
                                           .prepare = fake_prepare,
                                           .release = fake_release};

// The tactics of the plan's steps, joined with blanks.
static void plan_tactics(prices p, bool low_memory, char *out, size_t out_bytes)
{
    graph_builder b;
    build_begin(&b, 1);
    const ferry_value_id x = build_input(&b, "x", FERRY_F32, "4096");
    const ferry_value_id y = BUILD_NODE(&b, "Neg", "b", "", BUILD_NODE(&b, "Relu", "a", "", x));
    build_output(&b, BUILD_NODE(&b, "Abs", "c", "", y));
    build_finish(&b);
    ferry_device device = {.backend = &fake_backend, .heap = ferry_heap_default()}, *devices[] = {&device};
    const ferry_plan_options options = {.threads = 1, .low_memory = low_memory};
    ferry_plan plan;
    current = p;
    MUST(ferry_plan_make(&b.graph, devices, 1, &options, &plan, NULL, err));
    out[0] = 0;
    for (size_t i = 0; i < plan.n_steps; i++) {
        const size_t used = strlen(out);
        snprintf(out + used, out_bytes - used, "%s%s", i ? " " : "", plan.steps[i].tactic);
    }
    ferry_plan_deinit(&plan);
    build_end(&b);
}

static void expect_tactics(prices p, bool low_memory, const char *tactics)
{
    char found[128];
    plan_tactics(p, low_memory, found, sizeof found);
    assert_string_equal(found, tactics);
}

static void regions__that_keep_the_peak_in_a_cache_may_cost_a_little_more(void **state)
{
    (void)state;
    expect_tactics((prices){.single = 1, .all = 3.2}, false, "fake fake fake");
    expect_tactics((prices){.single = 1, .all = 3.2}, true, "fused");
    expect_tactics((prices){.single = 1, .all = 3.4}, true, "fake fake fake"); // over a tenth
    expect_tactics((prices){.single = 1, .all = 2.8}, true, "fused");
}

static void scratch__may_be_saved_for_a_little_time(void **state)
{
    (void)state;
    expect_tactics((prices){.single = 1, .frugal = 1.1}, false, "fake fake fake");
    expect_tactics((prices){.single = 1, .frugal = 1.1}, true, "frugal fake fake");
    expect_tactics((prices){.single = 1, .frugal = 1.5}, true, "fake fake fake");
}

// --- Slices on the CPU ----------------------------------------------------------------------------------------------

static ferry_value_id conv(graph_builder *b, const char *name, ferry_value_id x, int from, int to, int kernel)
{
    char dims[64], attrs[64], weights[64];
    snprintf(dims, sizeof dims, "%dx%dx%dx%d", to, from, kernel, kernel);
    snprintf(attrs, sizeof attrs, "kernel_shape=%d,%d pads=%d,%d,%d,%d", kernel, kernel, kernel / 2, kernel / 2,
             kernel / 2, kernel / 2);
    snprintf(weights, sizeof weights, "%s_w", name);
    return BUILD_NODE(b, "Conv", name, attrs, x, build_constant(b, weights, dims, 0.1f));
}

// A few channels that are made early, joined with many that are made late.
static void build_early_and_late(graph_builder *b)
{
    build_begin(b, 3);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x16x32x32");
    const ferry_value_id early = conv(b, "early", x, 16, 8, 1);
    const ferry_value_id wide = conv(b, "wide2", conv(b, "wide1", x, 16, 128, 1), 128, 128, 3);
    const ferry_value_id joined =
        BUILD_NODE(b, "Concat", "joined", "axis=1", early, conv(b, "late", wide, 128, 128, 1));
    build_output(b, conv(b, "y", joined, 136, 8, 1));
    build_finish(b);
}

static size_t memory_of(ferry_engine *engine)
{
    size_t bytes = 0;
    MUST(ferry_engine_memory_bytes(engine, &bytes, err));
    return bytes;
}

static size_t copies_to_slices(const ferry_plan *plan)
{
    size_t count = 0;
    for (size_t s = 0; s < plan->n_steps; s++)
        count += plan->steps[s].kind == FERRY_STEP_REFORMAT && plan->buffers[plan->steps[s].outputs[0]].slice;
    return count;
}

static void slices__are_copied_where_the_whole_would_be_in_the_way(void **state)
{
    (void)state;
    graph_builder b;
    build_early_and_late(&b);
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    ferry_build_options options = *test_no_passes();
    options.no_timing = true;
    options.no_winograd = true;
    ferry_engine *usual = test_engine(runtime, &b.graph, &options);
    options.low_memory = true;
    ferry_engine *lean = test_engine(runtime, &b.graph, &options);
    assert_int_equal(copies_to_slices(usual->plan), 0);
    assert_int_equal(copies_to_slices(lean->plan), 1);
    assert_true(memory_of(lean) * 4 < memory_of(usual) * 3);
    test_expect_reference(usual, &b.graph, 1, 1e-5);
    test_expect_reference(lean, &b.graph, 1, 1e-5);
    ferry_engine_release(usual);
    ferry_engine_release(lean);
    ferry_runtime_release(runtime);
    build_end(&b);
}

static ferry_status build_lean(const ferry_heap *heap, void *graph, ferry_error *err)
{
    const ferry_runtime_options options = {.size = sizeof options, .device = "cpu:none", .heap = heap};
    ferry_build_options lean = *test_no_passes();
    ferry_runtime *runtime = NULL;
    ferry_engine *engine = NULL;
    lean.no_timing = true;
    lean.low_memory = true;
    ferry_status s = ferry_runtime_create(&options, &runtime, err);
    if (s == FERRY_OK) s = test_build(runtime, graph, &lean, &engine, err);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    return s;
}

static void choosing__survives_every_refused_allocation(void **state)
{
    (void)state;
    graph_builder b;
    build_begin(&b, 3);
    const ferry_value_id x = build_input(&b, "x", FERRY_F32, "1x4x3x3");
    const ferry_value_id one = conv(&b, "one", x, 4, 2, 1), two = conv(&b, "two", x, 4, 3, 3);
    const ferry_value_id joined = BUILD_NODE(&b, "Concat", "joined", "axis=1", one, two);
    build_output(&b, conv(&b, "y", joined, 5, 2, 1));
    build_finish(&b);
    assert_true(ferry_failing_heap_loop(build_lean, &b.graph) > 20);
    build_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(regions__that_keep_the_peak_in_a_cache_may_cost_a_little_more),
        cmocka_unit_test(scratch__may_be_saved_for_a_little_time),
        cmocka_unit_test(slices__are_copied_where_the_whole_would_be_in_the_way),
        cmocka_unit_test(choosing__survives_every_refused_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
