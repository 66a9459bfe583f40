// SPDX-License-Identifier: Apache-2.0
// The CUDA backend's products of two computed tensors against the reference kernel.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/kernel_case.h"

static void products__of_two_tensors_batch_by_batch(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {"", "MatMul", "f32:65x33 f32:33x70", .of_largest = 4e-6, .tactics = "batched"},
        {"", "MatMul", "f32:2x3x17x64 f32:2x3x64x9", .of_largest = 4e-6, .tactics = "batched"},
        {"", "MatMul", "f16:2x3x17x40 f16:3x40x65", .of_largest = 2e-3, .tactics = "batched"},
        {"", "MatMul", "bf16:2x1x5x8 bf16:1x3x8x7", .of_largest = 1e-2, .tactics = "batched"},
        {"", "MatMul", "f32:2x2x2x3x4x5 f32:2x1x2x3x5x1", .of_largest = 4e-6, .tactics = "batched"},
        {"ferry", "QMatMul", "s8:65x33 s8:33x70", "mult=0.001", .tactics = "batched"},
        {"ferry", "QMatMul", "s8:2x3x17x1400 s8:1x3x1400x9", "mult=0.000013", .tactics = "batched"},
        {"ferry", "QMatMul", "s8:2x5x8 s8:2x8x7", "mult=0.7 to=1", .tactics = "batched"},
        {"ferry", "QMatMul", "s8:2x5x8 s8:2x8x7", "mult=0.7 to=2", .tactics = "batched"},
        {"", "MatMul", "f32:1x1 f32:3x1x1", .of_largest = 4e-6, .tactics = "batched"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products__of_two_tensors_batch_by_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
