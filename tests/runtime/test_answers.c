// SPDX-License-Identifier: Apache-2.0
// What a program asks before it runs anything: which devices a runtime has, and how much memory a context will take.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "support/engine_case.h"
#include "support/failing_heap.h"
#include "support/mock_device.h"

static void devices__are_told_in_the_order_of_falling_back(void **state)
{
    (void)state;
    ferry_device_description d;
    ferry_error why = {""};
    ferry_runtime *runtime = test_runtime(NULL, "cpu:none", false, NULL);
    assert_true(ferry_runtime_host_memory(runtime));
    MUST(ferry_runtime_device(runtime, 0, &d, err));
    assert_string_equal(d.name, "cpu:none");
    assert_true(d.available && d.description[0] && d.fingerprint[0]);
    assert_int_equal(ferry_runtime_device(runtime, 1, &d, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_string_equal(why.text, "there is no device 1, the runtime has 1");
    assert_int_equal(ferry_runtime_device(runtime, -1, &d, &why), FERRY_ERR_INVALID_ARGUMENT);
    ferry_runtime_release(runtime);
    runtime = test_runtime(mock_and_cpu, "mock:steady", true, NULL);
    assert_false(ferry_runtime_host_memory(runtime));
    MUST(ferry_runtime_device(runtime, 0, &d, err));
    assert_string_equal(d.name, "mock:steady");
    MUST(ferry_runtime_device(runtime, 1, &d, err));
    assert_string_equal(d.name, "cpu");
    ferry_runtime_release(runtime);
}

static ferry_engine *dynamic_engine(ferry_runtime *runtime, graph_builder *b, int64_t most)
{
    const ferry_profile_shape shape = {
        .input = "x", .rank = 4, .min_dims = {1, 3, 12, 10}, .opt_dims = {1, 3, 12, 10}, .max_dims = {most, 3, 12, 10}};
    const ferry_build_options options = {.size = sizeof options, .shapes = &shape, .n_shapes = 1, .threads = 1};
    return test_engine(runtime, &b->graph, &options);
}

static void memory__is_that_of_the_largest_shapes(void **state)
{
    (void)state;
    graph_builder b;
    build_conv_net(&b, "?");
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    ferry_engine *small = dynamic_engine(runtime, &b, 1), *large = dynamic_engine(runtime, &b, 8);
    size_t least = 0, most = 0;
    MUST(ferry_engine_memory_bytes(small, &least, err));
    MUST(ferry_engine_memory_bytes(large, &most, err));
    assert_true(least > 0 && most > 4 * least);
    ferry_context *context = NULL;
    const int64_t dims[] = {8, 3, 12, 10};
    MUST(ferry_context_create(large, NULL, &context, err));
    MUST(ferry_context_set_input_shape(context, "x", 4, dims, err));
    MUST(ferry_context_prepare(context, err));
    assert_int_equal(ferry_context_memory_bytes(context), most);
    ferry_context_release(context);
    ferry_engine_release(small);
    ferry_engine_release(large);
    ferry_runtime_release(runtime);
    build_end(&b);
}

static ferry_status ask(const ferry_heap *heap, void *graph, ferry_error *err)
{
    const ferry_runtime_options options = {.size = sizeof options, .device = "cpu:none", .heap = heap};
    ferry_runtime *runtime = NULL;
    ferry_engine *engine = NULL;
    size_t bytes = 0;
    ferry_status s = ferry_runtime_create(&options, &runtime, err);
    if (s == FERRY_OK) s = test_build(runtime, graph, NULL, &engine, err);
    if (s == FERRY_OK) s = ferry_engine_memory_bytes(engine, &bytes, err);
    if (s == FERRY_OK) assert_true(bytes > 0);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    return s;
}

static void asking__survives_every_refused_allocation(void **state)
{
    (void)state;
    graph_builder b;
    build_begin(&b, 3);
    const ferry_value_id x = build_input(&b, "x", FERRY_F32, "1x4");
    build_output(&b, BUILD_NODE(&b, "Relu", "y", "", x));
    build_finish(&b);
    assert_true(ferry_failing_heap_loop(ask, &b.graph) > 20);
    build_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices__are_told_in_the_order_of_falling_back),
        cmocka_unit_test(memory__is_that_of_the_largest_shapes),
        cmocka_unit_test(asking__survives_every_refused_allocation),
    };
    return cmocka_run_group_tests_name("answers", tests, NULL, NULL);
}
