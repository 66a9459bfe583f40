// SPDX-License-Identifier: Apache-2.0
// Every allocation of passes, plan and lowering fails once: each time an error comes back and nothing leaks.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "passes/lower.h"
#include "passes/pass.h"
#include "support/build_graph.h"
#include "support/failing_heap.h"

static void build(graph_builder *b)
{
    build_begin(b, 1);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x3x6x6");
    const ferry_value_id c =
        BUILD_NODE(b, "Conv", "c", "kernel_shape=3,3 pads=1,1,1,1", x, build_constant(b, "w", "4x3x3x3", 1.0f));
    const ferry_value_id bn = BUILD_NODE(b, "BatchNormalization", "bn", "", c, build_between(b, "s", "4", 0.5f, 1.0f),
                                         build_constant(b, "t", "4", 1.0f), build_constant(b, "m", "4", 1.0f),
                                         build_between(b, "v", "4", 0.5f, 1.0f));
    const ferry_value_id silu = BUILD_NODE(b, "Mul", "silu", "", bn, BUILD_NODE(b, "Sigmoid", "sig", "", bn));
    build_output(b, BUILD_NODE(b, "Conv", "y", "kernel_shape=1,1", silu, build_constant(b, "w2", "64x4x1x1", 1.0f)));
    build_finish(b);
}

static ferry_status whole_way(const ferry_heap *heap, void *context, ferry_error *err)
{
    const ferry_graph *model = context;
    static const ferry_named_scale scales[] = {{"x", 0.01f}, {"bn", 0.02f}, {"silu", 0.02f}, {"y", 0.05f}};
    const ferry_precision_options options = {.int8 = true, .scales = scales, .n_scales = 4};
    ferry_graph from = *model, passed = {0}, lowered = {0};
    ferry_numeric_plan plan = {0}, again = {0};
    ferry_arena arena;
    const char *text = NULL;
    from.heap = heap; // the copy is made in the heap that fails
    ferry_arena_init(&arena, heap);
    ferry_status s = ferry_graph_copy(&from, &passed, err);
    if (s == FERRY_OK) s = ferry_passes_run(&passed, NULL, NULL, err);
    if (s == FERRY_OK) s = ferry_numeric_plan_choose(&passed, &options, &plan, NULL, err);
    if (s == FERRY_OK) s = ferry_numeric_plan_write(&plan, &passed, &arena, &text, err);
    if (s == FERRY_OK) s = ferry_numeric_plan_read(text, strlen(text), &passed, &again, err);
    if (s == FERRY_OK) s = ferry_lower(&passed, &again, &lowered, NULL, err);
    ferry_graph_deinit(&lowered);
    ferry_numeric_plan_deinit(&again);
    ferry_numeric_plan_deinit(&plan);
    ferry_graph_deinit(&passed);
    ferry_arena_deinit(&arena);
    return s;
}

static void whole_way__survives_every_failing_allocation(void **state)
{
    (void)state;
    graph_builder b;
    build(&b);
    const size_t allocations = ferry_failing_heap_loop(whole_way, &b.graph);
    assert_true(allocations > 20);
    build_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(whole_way__survives_every_failing_allocation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
