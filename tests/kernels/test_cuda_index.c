// SPDX-License-Identifier: Apache-2.0
// CUDA kernels that read and write by index, and those that run along an axis, against the reference kernels: to the
// bit, but for sums of floats.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/engine_case.h"
#include "support/kernel_case.h"

#define INDEX .domain = "", .tactics = "index"
#define ALONG .domain = "", .tactics = "along"

static void gather__takes_single_elements(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {INDEX, .op = "GatherElements", .inputs = "f32:3x4x5 s64:2x4x5@2.9", .attrs = "axis=0"},
        {INDEX, .op = "GatherElements", .inputs = "f16:3x70 s32:3x300@69", .attrs = "axis=-1"},
        {INDEX, .op = "GatherElements", .inputs = "s64:2x3x2x5 =s64:1x2x2x3[-1,0,4,3,2,1,-5,4,0,1,1,2]",
         .attrs = "axis=3"},
        {INDEX, .op = "GatherElements", .inputs = "s8:5 s64:0"},
        {INDEX, .op = "GatherND", .inputs = "f32:6x5x7 s64:40x2@4.9"},
        {INDEX, .op = "GatherND", .inputs = "f16:6x5x7 =s32:2x3x1[0,-1,5,2,-6,1]"},
        {INDEX, .op = "GatherND", .inputs = "s8:2x3x4x5 s64:2x3x7x2@3.9", .attrs = "batch_dims=2"},
        {INDEX, .op = "GatherND", .inputs = "=f32:4x3 s64:5x2@2.9"},
        {INDEX, .op = "OneHot", .inputs = "s64:3x7@12 =s64:[10] f32:2"},
        {INDEX, .op = "OneHot", .inputs = "s32:3x7@5 =s64:[5] =s8:2[-3,7]", .attrs = "axis=1"},
        {INDEX, .op = "OneHot", .inputs = "s64:2x3x4@5 =s64:[6] =f16:2[0,1]", .attrs = "axis=0"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

// Many updates of each element, so that their order shows.
static void scatter__updates_in_order(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {INDEX, .op = "ScatterElements", .inputs = "f32:3x40 s64:3x300@39 f32:3x300", .attrs = "axis=1"},
        {INDEX, .op = "ScatterElements", .inputs = "f32:3x40 s64:2x300@39 f32:2x300", .attrs = "axis=1 reduction=add"},
        {INDEX, .op = "ScatterElements", .inputs = "f16:5x4x6 s32:9x3x6@4 f16:9x3x6", .attrs = "reduction=mul"},
        {INDEX, .op = "ScatterElements", .inputs = "bf16:50x600 s64:3x600@49 bf16:3x600", .attrs = "reduction=max"},
        {INDEX, .op = "ScatterElements", .inputs = "s8:2x3x40 s64:2x2x90@39 s8:2x2x90",
         .attrs = "axis=-1 reduction=add"},
        {INDEX, .op = "ScatterElements", .inputs = "s64:7 =s64:5[-1,0,3,3,-7] s64:5", .attrs = "reduction=min"},
        {INDEX, .op = "ScatterElements", .inputs = "f32:7 s64:0 f32:0"},
        {INDEX, .op = "Scatter", .inputs = "f16:3x3 =s64:2x3[1,0,2,0,2,1] f16:2x3"},
        {INDEX, .op = "ScatterND", .inputs = "f32:8x5 s64:60x2@4.9 f32:60"},
        {INDEX, .op = "ScatterND", .inputs = "f32:8x5 s64:60x2@4.9 f32:60", .attrs = "reduction=add"},
        {INDEX, .op = "ScatterND", .inputs = "f16:4x3x300 =s64:3x1[1,-1,1] f16:3x3x300", .attrs = "reduction=mul"},
        {INDEX, .op = "ScatterND", .inputs = "s64:30x3 s32:2x20x1@29 s64:2x20x3", .attrs = "reduction=max"},
        {INDEX, .op = "ScatterND", .inputs = "=s8:30x3 s64:50x1@29 s8:50x3"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void arg__finds_the_first_or_last_of_equal_ones(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {ALONG, .op = "ArgMax", .inputs = "f32:2x21x5x7", .attrs = "axis=1"},
        {ALONG, .op = "ArgMax", .inputs = "f16:2x21x5x7", .attrs = "axis=1 keepdims=0"},
        {ALONG, .op = "ArgMax", .inputs = "s8:300x40", .attrs = "axis=-1 keepdims=0 select_last_index=1"},
        {ALONG, .op = "ArgMax", .inputs = "s64:3x700@2", .attrs = "axis=1"},
        {ALONG, .op = "ArgMin", .inputs = "f32:3x700", .attrs = "axis=1"},
        {ALONG, .op = "ArgMin", .inputs = "bf16:700x33", .attrs = "axis=0 select_last_index=1"},
        {ALONG, .op = "ArgMin", .inputs = "u8:2x3x4x500", .attrs = "axis=3 keepdims=0"},
        {ALONG, .op = "ArgMin", .inputs = "s32:1x5x6@3", .attrs = "axis=1"},
        {ALONG, .op = "ArgMax", .inputs = "f32:5[0,-0,nan,inf,nan]"},
        {ALONG, .op = "ArgMin", .inputs = "f32:5[0,-inf,nan,inf,nan]", .attrs = "select_last_index=1"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void cum_sum__adds_up(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {ALONG, .op = "CumSum", .inputs = "s64:3x700@1000 =s64:[1]"},
        {ALONG, .op = "CumSum", .inputs = "s8:2x5x300 =s32:[-1]", .attrs = "reverse=1"},
        {ALONG, .op = "CumSum", .inputs = "s32:2x5x6x7@100 =s64:[1]", .attrs = "exclusive=1"},
        {ALONG, .op = "CumSum", .inputs = "f32:2x900 =s64:[1]", .attrs = "exclusive=1 reverse=1", .of_largest = 1e-7},
        {ALONG, .op = "CumSum", .inputs = "f16:90x40 =s64:[0]", .of_largest = 1e-3},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void top_k__is_sorted_and_prefers_the_first(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {ALONG, .op = "TopK", .inputs = "f32:2x3000 =s64:1[300]", .outputs = 2},
        {ALONG, .op = "TopK", .inputs = "s8:3x900 =s64:1[77]", .outputs = 2},
        {ALONG, .op = "TopK", .inputs = "s8:1x900 =s64:1[20]", .attrs = "largest=0", .outputs = 2},
        {ALONG, .op = "TopK", .inputs = "f16:2x40x3x2 =s64:1[5]", .attrs = "axis=1", .outputs = 2},
        {ALONG, .op = "TopK", .inputs = "f32:2x700 =s64:1[700]", .attrs = "largest=0"},
        {ALONG, .op = "TopK", .inputs = "s32:4x1@3 =s64:1[1]", .outputs = 2},
        {ALONG, .op = "TopK", .inputs = "f32:9[0,-0,nan,inf,nan,-inf,1,1,-1] =s64:1[8]", .outputs = 2},
        {ALONG, .op = "TopK", .inputs = "f32:9[0,-0,nan,inf,nan,-inf,1,1,-1] =s64:1[8]", .attrs = "largest=0",
         .outputs = 2},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

// What follows it has a size that is known, too: nothing of it is the host's.
static void top_k__of_a_constant_count_runs_on_the_device(void **unused)
{
    (void)unused;
    if (!kernel_case_has_cuda()) skip();
    graph_builder b;
    build_begin(&b, 3);
    const int64_t count = 5;
    const ferry_value_id x = build_input(&b, "x", FERRY_F32, "2x40"), k = build_ints(&b, "k", 1, &count);
    const ferry_value_id best = BUILD_NODE(&b, "TopK", "best", "axis=1", x, k);
    const ferry_value_id places = build_second_output(&b, best, "places");
    build_output(&b, BUILD_NODE(&b, "GatherElements", "again", "axis=1", x, places));
    build_output(&b, BUILD_NODE(&b, "Relu", "relu", "", best));
    build_finish(&b);
    ferry_runtime *runtime = test_runtime(NULL, "cuda", false, NULL);
    ferry_engine *engine = test_engine(runtime, &b.graph, NULL);
    test_expect_reference(engine, &b.graph, 1, 0);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gather__takes_single_elements),
        cmocka_unit_test(scatter__updates_in_order),
        cmocka_unit_test(arg__finds_the_first_or_last_of_equal_ones),
        cmocka_unit_test(cum_sum__adds_up),
        cmocka_unit_test(top_k__is_sorted_and_prefers_the_first),
        cmocka_unit_test(top_k__of_a_constant_count_runs_on_the_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
