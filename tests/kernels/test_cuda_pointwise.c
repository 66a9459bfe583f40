// SPDX-License-Identifier: Apache-2.0
// The CUDA backend's chains of elementwise operators against the reference kernels.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/kernel_case.h"

static void functions__of_one_tensor(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {"", "Relu", "f32:2x3x5x7", .of_largest = 1e-6},
        {"", "LeakyRelu", "f32:3x9", "alpha=0.3", .of_largest = 1e-6},
        {"", "Sigmoid", "f32:1x8x4x4@12", .of_largest = 2e-6},
        {"ferry", "Silu", "f16:1x8x4x4@20", .of_largest = 1e-3},
        {"", "HardSwish", "f16:1x16x3x3@5", .of_largest = 1e-3},
        {"", "Gelu", "f32:7x33@4", .of_largest = 2e-6},
        {"", "Gelu", "f32:7x33@4", "approximate=tanh", .of_largest = 2e-6},
        {"", "Tanh", "f32:129@4", .of_largest = 2e-6},
        {"", "Erf", "bf16:2x31@3", .of_largest = 8e-3},
        {"", "Mish", "f32:2x31@9", .of_largest = 3e-6},
        {"", "Softplus", "f32:2x31@30", .of_largest = 3e-6},
        {"", "Clip", "f32:2x31@3 =f32:@0.5 =f32:@1", .of_largest = 1e-6},
        {"", "Round", "f32:4x4x4@9", .of_largest = 0},
        {"", "Sqrt", "f32:1000@0", .of_largest = 1e-6},
        {"", "Elu", "f32:3x50@4", "alpha=0.7", .of_largest = 2e-6},
        {"", "Celu", "f32:3x50@4", "alpha=0.7", .of_largest = 2e-6},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void functions__of_two_tensors(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {"", "Add", "f32:2x3x5x7 f32:2x3x5x7", .of_largest = 1e-6},
        {"", "Sub", "f16:2x8x5 f16:2x8x5", .of_largest = 1e-3},
        {"", "Mul", "f32:2x6x5x7 =f32:1x6x1x1", .of_largest = 1e-6, .tactics = "pointwise"},
        {"", "Mul", "f16:2x6x5x7 =f16:6x1x1", .of_largest = 1e-3, .tactics = "pointwise"},
        {"", "Add", "=f32:1x6x1x1 f32:2x6x5x7", .of_largest = 1e-6, .tactics = "pointwise"},
        {"", "Mul", "f32:2x16x5x7 f32:2x16x1x1", .of_largest = 1e-6, .tactics = "pointwise"},
        {"", "Mul", "f16:2x16x1x1 f16:2x16x5x7", .of_largest = 1e-3, .tactics = "pointwise"},
        {"", "Div", "f32:50 =f32:@3", .of_largest = 1e-6, .tactics = "pointwise"},
        {"", "Div", "=f32:@3 f32:50", .of_each = 1e-6, .tactics = "pointwise"},
        {"", "Max", "f32:3x7 f32:3x7", .tactics = "pointwise"},
        {"", "Mul", "f32:3x7 *0", .of_largest = 1e-6, .tactics = "pointwise"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void chains(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {"", "Relu", "f32:2x8x5x7", .then = "Mul =f32:1x8x1x1;Add =f32:1x8x1x1;Sigmoid", .of_largest = 3e-6},
        {"", "Add", "f16:1x16x9x9 f16:1x16x9x9", .then = "HardSwish;Neg", .of_largest = 2e-3},
        {"", "Mul", "f32:2x16x3x3 f32:2x16x1x1", .then = "Relu", .plus = "f32:2x16x3x3", .of_largest = 3e-6},
        {"", "Neg", "f32:3x5", .then = "Exp;Abs;Log;Neg", .of_largest = 3e-6},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions__of_one_tensor),
        cmocka_unit_test(functions__of_two_tensors),
        cmocka_unit_test(chains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
