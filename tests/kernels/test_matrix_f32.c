// SPDX-License-Identifier: Apache-2.0
// Matrix products in float against the reference: every form of Gemm and MatMul, tails, batches, broadcasting.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/kernel_case.h"

#define CLOSE .of_largest = 2e-6
#define GEMM .domain = "", .op = "Gemm", CLOSE, .tactics = "matrix_f32"
#define FUSED .domain = "ferry", .op = "FusedGemm", CLOSE, .tactics = "matrix_f32"

static void matrix_f32__matches_reference_for_constant_weights(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {GEMM, .inputs = "f32:1x64 =f32:64x10 =f32:10"},
        {GEMM, .inputs = "f32:13x37 =f32:37x33 =f32:1x33", .attrs = "alpha=0.5 beta=2"},
        {GEMM, .inputs = "f32:12x16 =f32:65x16 =f32:1", .attrs = "transB=1"},
        {GEMM, .inputs = "f32:7x1 =f32:1x1"},
        {FUSED, .inputs = "f32:2x5x24 =f32:24x40 =f32:40", .attrs = "act=relu"},
        {FUSED, .inputs = "f32:9x24 =f32:31x24 - f32:9x31", .attrs = "transB=1 act=clip act_alpha=-1 act_beta=1"},
        {FUSED, .inputs = "f16:9x24 =f16:24x31 =f16:31", .of_each = 1e-3, .leave = "matrix_f16"},
        {.domain = "", .op = "MatMul", CLOSE, .tactics = "matrix_f32", .inputs = "f32:2x3x10 =f32:10x20"},
    };
    KERNEL_CASES_RUN(cases);
}

// Sums in f32, rounded once.
#define CLOSE_BF16                                                                                                     \
    .of_largest = 4e-6, .of_each = 0x1p-7, .tactics = "matrix_bf16", .lacks = "avx2 neon neonfp16 neondot neoni8mm"
static void matrix_bf16__matches_reference_for_constant_weights(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {"", "Gemm", "bf16:1x64 =bf16:64x10 =bf16:10", CLOSE_BF16},
        {"", "Gemm", "bf16:13x37 =bf16:37x33 =bf16:1x33", .attrs = "alpha=0.5 beta=2", CLOSE_BF16},
        {"", "Gemm", "bf16:30x16 =bf16:65x16 =bf16:1", .attrs = "transB=1", CLOSE_BF16},
        {"", "Gemm", "bf16:7x1 =bf16:1x1", CLOSE_BF16},
        {"", "MatMul", "bf16:2x3x10 =bf16:10x20", CLOSE_BF16},
        {"", "MatMul", "bf16:31x700 =bf16:700x400", CLOSE_BF16},
        {"ferry", "FusedGemm", "bf16:2x5x24 =bf16:24x40 =f32:40", .attrs = "act=relu", CLOSE_BF16},
        {"ferry", "FusedGemm", "bf16:9x24 =bf16:31x24 - bf16:9x31", CLOSE_BF16,
         .attrs = "transB=1 act=clip act_alpha=-1 act_beta=1"},
    };
    KERNEL_CASES_RUN(cases);
}

// Runs of products are summed in f16.
#define CLOSE_F16                                                                                                      \
    .of_largest = 3e-3, .of_each = 0x1p-10, .tactics = "matrix_f16",                                                   \
    .lacks = "none avx2 avx512 avx512vnni avx512bf16 avx512vbmi neon"
static void matrix_f16__matches_reference_for_constant_weights(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {"", "Gemm", "f16:1x64 =f16:64x10 =f16:10", CLOSE_F16},
        {"", "Gemm", "f16:13x37 =f16:37x33 =f16:1x33", .attrs = "alpha=0.5 beta=2", CLOSE_F16},
        {"", "Gemm", "f16:30x16 =f16:65x16 =f16:1", .attrs = "transB=1", CLOSE_F16},
        {"", "Gemm", "f16:7x1 =f16:1x1", CLOSE_F16},
        {"", "MatMul", "f16:2x3x10 =f16:10x20", CLOSE_F16},
        {"", "MatMul", "f16:31x700 =f16:700x400", CLOSE_F16},
        {"ferry", "FusedGemm", "f16:2x5x24 =f16:24x40 =f32:40", .attrs = "act=relu", CLOSE_F16},
        {"ferry", "FusedGemm", "f16:9x24 =f16:31x24 - f16:9x31", CLOSE_F16,
         .attrs = "transB=1 act=clip act_alpha=-5 act_beta=5"},
    };
    KERNEL_CASES_RUN(cases);
}

static void matmul_f32__matches_reference_for_batches(void **unused)
{
    (void)unused;
#define MATMUL .domain = "", .op = "MatMul", CLOSE, .tactics = "matmul_f32"
    static const kernel_case cases[] = {
        {MATMUL, .inputs = "f32:2x3x10x7 f32:2x3x7x20"},
        {MATMUL, .inputs = "f32:5x70 f32:70x33"},
        {MATMUL, .inputs = "f32:2x1x4x5 f32:3x5x6"},
        {MATMUL, .inputs = "f32:4x5 f32:3x5x6"},
        {MATMUL, .inputs = "f32:3x2x40x16 =f32:3x2x16x40"},
        {MATMUL, .inputs = "bf16:2x9x8 bf16:2x8x9", .of_each = 8e-3},
    };
    KERNEL_CASES_RUN(cases);
}

static void matrix_f32__takes_activations_into_its_store(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {GEMM, .inputs = "f32:13x37 =f32:37x33 =f32:33", .then = "Gelu"},
        {GEMM, .inputs = "f32:1x64 =f32:64x10 =f32:10", .then = "Sigmoid", .plus = "f32:1x10"},
        {FUSED, .inputs = "f32:2x5x24 =f32:24x40 =f32:40", .then = "Gelu approximate=tanh", .plus = "f32:2x5x40"},
        {FUSED, .inputs = "f32:9x24 =f32:31x24 - f32:9x31", .attrs = "transB=1", .then = "ferry:Silu"},
        {.domain = "",
         .op = "MatMul",
         CLOSE,
         .tactics = "matrix_f32",
         .inputs = "f32:2x3x10 =f32:10x20",
         .then = "Softplus"},
    };
    KERNEL_CASES_RUN(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matrix_f32__matches_reference_for_constant_weights),
        cmocka_unit_test(matrix_bf16__matches_reference_for_constant_weights),
        cmocka_unit_test(matrix_f16__matches_reference_for_constant_weights),
        cmocka_unit_test(matmul_f32__matches_reference_for_batches),
        cmocka_unit_test(matrix_f32__takes_activations_into_its_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
