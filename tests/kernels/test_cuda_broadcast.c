// SPDX-License-Identifier: Apache-2.0
// The CUDA backend's elementwise operators of broadcast tensors and of any types, against the reference kernels.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/kernel_case.h"

static void floats__of_any_shapes(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {"", "Add", "f32:2x3x5x7 f32:5x1", .of_largest = 1e-6, .tactics = "broadcast"},
        {"", "Mul", "f16:1x197x192 =f16:197x1", .of_largest = 1e-3, .tactics = "broadcast"},
        {"", "Add", "f16:2x9x16 =f16:1x9x16", .of_largest = 1e-3, .tactics = "broadcast"},
        {"", "Sub", "f32:2x1x4x1x5x1 f32:3x1x5x1x6", .of_largest = 1e-6, .tactics = "broadcast"},
        {"", "Div", "bf16:3x1 bf16:1x70", .of_each = 8e-3, .tactics = "broadcast"},
        {"", "Max", "f32:4x1x3 f32:1x5x3", .tactics = "broadcast"},
        {"", "Mod", "f32:40@9 f32:40@2", "fmod=1", .of_largest = 1e-5, .tactics = "broadcast"},
        {"", "Sin", "f32:2x3x4x5@9", .of_largest = 1e-6, .tactics = "broadcast"},
        {"", "Atanh", "f32:70", .of_largest = 1e-4, .tactics = "broadcast"},
        {"", "PRelu", "f32:2x3x4x5 f32:3x1x1", .of_largest = 1e-6, .tactics = "broadcast"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void integers_and_choices(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {"", "Add", "s64:2x3 =s64:[5]", .tactics = "broadcast"},
        {"", "Div", "s32:2x30 s32:30", .tactics = "broadcast"},
        {"", "Mod", "s8:2x40 s8:40", .tactics = "broadcast"},
        {"", "Less", "f32:2x3x5x7 f32:7", .tactics = "broadcast"},
        {"", "Equal", "s8:40x3 s8:3", .tactics = "broadcast"},
        {"", "Greater", "f16:2x3x4x4 f16:1x3x1x1", .tactics = "broadcast"},
        {"", "Less", "f32:40 f32:40", .then = "Not", .may_lack = 1},
        {"", "Where", "bool:4x1x3 f32:4x5x3 f32:1", .tactics = "broadcast"},
        {"", "Where", "bool:40 s64:40 s64:40", .tactics = "broadcast"},
        {"", "And", "bool:4x5 bool:5", .tactics = "broadcast"},
        {"", "Cast", "f32:3x50@300", "to=3", .tactics = "broadcast"},
        {"", "Cast", "f16:3x50@300", "to=2", .tactics = "broadcast"},
        {"", "Cast", "f32:3x50@9", "to=7", .tactics = "broadcast"},
        {"", "Cast", "f32:3x50@9", "to=9", .tactics = "broadcast"},
        {"", "Cast", "s8:3x50", "to=10", .tactics = "broadcast"},
        {"", "Cast", "u8:2x3x4x5", "to=1", .tactics = "broadcast"},
        {"", "Cast", "s32:3x50", "to=6", .may_lack = 1},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats__of_any_shapes),
        cmocka_unit_test(integers_and_choices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
