// SPDX-License-Identifier: Apache-2.0
// Layouts of a plan: those that cost least with what conversions between them take on the device that makes them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "support/engine_case.h"

// --- Devices whose prices a test sets --------------------------------------------------------------------------------

/// Of each node in either layout, and of a conversion; of a device whose name says which.
typedef struct prices {
    double plain, channels_last, reformat;
} prices;

typedef struct fake_device {
    ferry_device base;
    prices us;
    const char *takes; // nodes whose names begin with this letter; NULL: all
} fake_device;

static void fake_describe(const ferry_device *device, ferry_device_info *out)
{
    const fake_device *d = (const fake_device *)device;
    *out = (ferry_device_info){.host_memory = true, .synchronous = true};
    snprintf(out->fingerprint, sizeof out->fingerprint, "fake/%s", d->takes ? d->takes : "all");
}

static ferry_status fake_offer(ferry_device *device, const ferry_graph_view *view, ferry_node_id root,
                               const ferry_offer_sink *sink, ferry_error *err)
{
    const fake_device *d = (const fake_device *)device;
    if (d->takes && view->graph->nodes[root].name[0] != d->takes[0]) return FERRY_OK;
    for (int layout = 0; layout < 2; layout++) {
        const ferry_offer offer = {.tactic = "fake",
                                   .nodes = &root,
                                   .n_nodes = 1,
                                   .in_layout = (ferry_tensor_layout)layout,
                                   .out_layout = (ferry_tensor_layout)layout,
                                   .cost_us = layout ? d->us.channels_last : d->us.plain};
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

static double fake_reformat_cost_us(const ferry_device *device, double bytes)
{
    assert_true(bytes == 2 * 8 * 6 * 6 * sizeof(float));
    return ((const fake_device *)device)->us.reformat;
}

static const ferry_backend fake_backend = {.abi = FERRY_BACKEND_ABI,
                                           .name = "fake",
                                           .describe = fake_describe,
                                           .offer = fake_offer,
                                           .pack = fake_pack,
                                           .reformat_cost_us = fake_reformat_cost_us};

// --- A chain of three nodes
// -------------------------------------------------------------------------------------------

static size_t count_reformats(fake_device *fakes, int32_t n)
{
    graph_builder b;
    build_begin(&b, 1);
    const ferry_value_id x = build_input(&b, "x", FERRY_F32, "2x8x6x6");
    const ferry_value_id y = BUILD_NODE(&b, "Abs", "b", "", BUILD_NODE(&b, "Relu", "a", "", x));
    build_output(&b, BUILD_NODE(&b, "Neg", "a2", "", y));
    build_finish(&b);
    ferry_device *devices[2];
    const ferry_plan_options options = {.threads = 1};
    ferry_plan plan;
    for (int32_t i = 0; i < n; i++) {
        fakes[i].base = (ferry_device){.backend = &fake_backend, .heap = ferry_heap_default()};
        devices[i] = &fakes[i].base;
    }
    MUST(ferry_plan_make(&b.graph, devices, n, &options, &plan, NULL, err));
    size_t reformats = 0;
    for (size_t s = 0; s < plan.n_steps; s++) reformats += plan.steps[s].kind == FERRY_STEP_REFORMAT;
    ferry_plan_deinit(&plan);
    build_end(&b);
    return reformats;
}

static void conversions__are_made_where_they_win_more_than_they_cost(void **state)
{
    (void)state;
    assert_int_equal(count_reformats(&(fake_device){.us = {10, 5, 7}}, 1), 2); // 2 * 7 < 3 * 5
    assert_int_equal(count_reformats(&(fake_device){.us = {10, 5, 8}}, 1), 0);
}

// Copies between devices are plain: the one in the middle would convert on both sides, and the others as well.
static void tensors_that_cross__are_converted_at_the_price_of_each_side(void **state)
{
    (void)state;
    fake_device dear[2] = {{.us = {10, 5, 4}, .takes = "a"}, {.us = {10, 5, 4}, .takes = "b"}};
    assert_int_equal(count_reformats(dear, 2), 0); // 2 * 4 > 5 for each of the three
    fake_device first[2] = {{.us = {10, 5, 2}, .takes = "a"}, {.us = {10, 5, 4}, .takes = "b"}};
    assert_int_equal(count_reformats(first, 2), 4);
    fake_device second[2] = {{.us = {10, 5, 4}, .takes = "a"}, {.us = {10, 5, 2}, .takes = "b"}};
    assert_int_equal(count_reformats(second, 2), 2);
}

static void gpus__change_layouts_at_the_speed_of_their_memory(void **state)
{
    (void)state;
    double us[2];
    const char *const targets[2] = {"orin-nano", "sm_90"};
    for (int i = 0; i < 2; i++) {
        ferry_device *device = NULL;
        const ferry_backend *cuda = ferry_backend_find("cuda");
        MUST(cuda->open(targets[i], ferry_heap_default(), NULL, &device, err));
        us[i] = cuda->reformat_cost_us(device, 1e6);
        cuda->close(device);
    }
    assert_true(us[0] > 20 && us[0] < 100); // 102 GB/s
    assert_true(us[1] > 1 && us[1] < 4);    // 4800 GB/s, and a launch
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversions__are_made_where_they_win_more_than_they_cost),
        cmocka_unit_test(tensors_that_cross__are_converted_at_the_price_of_each_side),
        cmocka_unit_test(gpus__change_layouts_at_the_speed_of_their_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
