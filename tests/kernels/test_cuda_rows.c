// SPDX-License-Identifier: Apache-2.0
// The CUDA backend's softmax, normalisations and reductions against the reference kernels.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/kernel_case.h"

static void softmax__along_any_axis(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {"", "Softmax", "f32:3x4x197@9", .of_largest = 2e-6, .tactics = "rows"},
        {"", "Softmax", "f16:5x64@9", .of_largest = 1e-3, .tactics = "rows"},
        {"", "Softmax", "bf16:2x1000@4", .of_largest = 8e-3, .tactics = "rows"},
        {"", "Softmax", "f32:2x1025@4", .of_largest = 2e-6, .tactics = "rows"},
        {"", "Softmax", "f32:2x9000", .of_largest = 2e-6, .tactics = "rows"},
        {"", "Softmax", "f16:1x16x4x50@9", "axis=1", .of_largest = 1e-3, .tactics = "rows"},
        {"", "Softmax", "f32:2x5x3x7@9", "axis=2", .of_largest = 2e-6, .tactics = "rows"},
        {"", "LogSoftmax", "f32:3x70@9", .of_largest = 2e-6, .tactics = "rows"},
        {"", "LogSoftmax", "f32:3x7x9@9", "axis=0", .of_largest = 2e-6, .tactics = "rows"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void normalisations(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {"", "LayerNormalization", "f32:3x5x192 =f32:192 =f32:192", .of_largest = 4e-6, .tactics = "rows"},
        {"", "LayerNormalization", "f16:7x768@3 =f16:768 =f16:768", .of_largest = 2e-3, .tactics = "rows"},
        {"", "LayerNormalization", "f16:2x2x33 =f16:33", .of_largest = 2e-3, .tactics = "rows"},
        {"", "LayerNormalization", "bf16:2x1280 =bf16:1280 =bf16:1280", .of_largest = 1e-2, .tactics = "rows"},
        {"", "LayerNormalization", "f32:4x6x10 =f32:6x10 =f32:6x10", "axis=1", .of_largest = 4e-6, .tactics = "rows"},
        {"", "LayerNormalization", "f32:2x9001 =f32:9001", .of_largest = 1e-5, .tactics = "rows"},
        {"", "RMSNormalization", "f32:3x5x64 =f32:64", .of_largest = 4e-6, .tactics = "rows"},
        {"", "GroupNormalization", "f32:2x12x5x4 =f32:12 =f32:12", "num_groups=3", .of_largest = 4e-6,
         .tactics = "rows"},
        {"", "GroupNormalization", "f16:2x12x5x8 =f16:12 =f16:12", "num_groups=4", .of_largest = 2e-3,
         .tactics = "rows"},
        {"", "InstanceNormalization", "f32:2x3x9x9 =f32:3 =f32:3", .of_largest = 4e-6, .tactics = "rows"},
        {"", "InstanceNormalization", "f32:1x2x40x40 =f32:2 =f32:2", .of_largest = 1e-5, .tactics = "rows"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void reductions__over_neighbouring_axes(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {"", "ReduceMean", "f32:2x8x5x7 =s64:2[2,3]", .of_largest = 2e-6, .tactics = "rows"},
        {"", "ReduceMean", "f16:3x40x17 =s64:1[1]", "keepdims=0", .of_largest = 1e-3, .tactics = "rows"},
        {"", "ReduceSum", "f32:2x8x5x7 =s64:1[1]", .of_largest = 4e-6, .tactics = "rows"},
        {"", "ReduceSum", "f32:2x8x5x7", .of_largest = 1e-5, .tactics = "rows"},
        {"", "ReduceMax", "f32:2x3x300 =s64:1[-1]", .tactics = "rows"},
        {"", "ReduceMin", "f32:9x33 =s64:1[0]", "keepdims=0", .tactics = "rows"},
        {"", "ReduceL1", "f32:5x70 =s64:1[1]", .of_largest = 2e-6, .tactics = "rows"},
        {"", "ReduceL2", "f32:5x70x2 =s64:1[1]", .of_largest = 2e-6, .tactics = "rows"},
        {"", "ReduceSumSquare", "f32:1x3x17 =s64:2[1,2]", .of_largest = 2e-6, .tactics = "rows"},
        {"", "ReduceProd", "f32:5x6 =s64:1[1]", .of_largest = 2e-6, .tactics = "rows"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void local_norm__over_neighbouring_channels(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {"", "LRN", "f32:2x9x5x7@3", "size=5 alpha=0.3", .of_largest = 1e-6, .tactics = "local_norm"},
        {"", "LRN", "f16:1x16x3x3@3", "size=4 alpha=0.3 beta=0.5 bias=2", .of_largest = 1e-3, .tactics = "local_norm"},
        {"", "LRN", "f32:3x4", "size=100 alpha=1", .of_largest = 1e-6, .tactics = "local_norm"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(local_norm__over_neighbouring_channels),
        cmocka_unit_test(softmax__along_any_axis),
        cmocka_unit_test(normalisations),
        cmocka_unit_test(reductions__over_neighbouring_axes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
