// SPDX-License-Identifier: Apache-2.0
// The CUDA backend's products with constant weights against the reference kernels: convolutions and matrices, with
// every tile that is offered.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "backend/backend.h"
#include "support/kernel_case.h"

// Sums of some hundred products of numbers up to 1, in another order than the reference's; halves are rounded once.
#define FLOATS .of_largest = 3e-6
#define HALVES .of_largest = 1e-3
#define BRAINS .of_largest = 6e-3
#define ROUNDED .of_largest = 1e-3, .permitted = FERRY_OFFER_TF32
#define CONV .domain = "", .op = "Conv", .tactics = "conv_"
#define FUSED_CONV .domain = "ferry", .op = "FusedConv", .tactics = "conv_"

static void conv__of_evenly_lying_rows(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {CONV, .inputs = "f16:1x16x5x7 =f16:24x16x1x1 =f16:24", HALVES},
        {CONV, .inputs = "f16:2x72x3x3 =f16:40x72x1x1", HALVES},
        {CONV, .inputs = "f32:2x12x5x5 =f32:17x12x1x1 =f32:17", FLOATS},
        {CONV, .inputs = "bf16:1x24x9x9 =bf16:8x24x1x1", BRAINS},
        {CONV, .inputs = "f16:1x58x4x6 =f16:58x58x1x1", HALVES}, // channels that end within a chunk
        {CONV, .inputs = "f16:1x20x4x6 =f16:7x20x1x1", HALVES},
        {CONV, .inputs = "f16:1x13x4x6 =f16:33x13x1x1", HALVES},
        {CONV, .inputs = "f16:3x16x9 =f16:24x16x1 =f16:24", HALVES},
        {CONV, .inputs = "f16:1x16x2x3x4 =f16:24x16x1x1x1", HALVES},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void conv__of_windows(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {CONV, .inputs = "f16:1x16x6x7 =f16:16x16x3x3 =f16:16", .attrs = "pads=1,1,1,1", HALVES},
        {CONV, .inputs = "f16:2x24x7x5 =f16:40x24x3x3", .attrs = "pads=1,1,1,1 strides=2,2", HALVES},
        {CONV, .inputs = "f16:1x72x5x5 =f16:8x72x2x3", .attrs = "pads=2,0,1,3 dilations=2,1", HALVES},
        {CONV, .inputs = "f16:2x64x5x5 =f16:16x64x1x1", .attrs = "strides=2,2", HALVES},
        {CONV, .inputs = "f16:1x3x17x15 =f16:32x3x7x7 =f16:32", .attrs = "pads=3,3,3,3 strides=2,2", HALVES},
        {CONV, .inputs = "f16:2x3x7x5 =f16:4x3x3x2 =f16:4", HALVES},
        {CONV, .inputs = "f16:2x3x9x9 =f16:16x3x3x3", .attrs = "auto_pad=SAME_UPPER strides=2,2", HALVES},
        {CONV, .inputs = "f16:1x16x11 =f16:8x16x3", .attrs = "pads=1,1", HALVES},
        {CONV, .inputs = "f32:1x3x9x9 =f32:16x3x3x3 =f32:16", .attrs = "pads=1,1,1,1 strides=2,1", FLOATS},
        {CONV, .inputs = "f32:1x36x5x6 =f32:20x36x3x3", .attrs = "pads=1,1,1,1", FLOATS},
        {CONV, .inputs = "bf16:1x8x5x6 =bf16:20x8x5x5", .attrs = "pads=2,2,2,2", BRAINS},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void conv__with_what_follows(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {FUSED_CONV, .inputs = "f16:2x16x5x7 =f16:24x16x1x1 =f32:24", .attrs = "act=relu", HALVES},
        {FUSED_CONV, .inputs = "f16:1x16x5x5 =f16:24x16x3x3 =f32:24 f16:1x24x5x5",
         .attrs = "pads=1,1,1,1 act=relu r_mult=0.5", HALVES},
        {FUSED_CONV, .inputs = "f16:1x16x5x5 =f16:18x16x1x1 =f32:18 f16:1x18x5x5",
         .attrs = "act=leaky_relu act_alpha=0.1 act_first=1", HALVES},
        {FUSED_CONV, .inputs = "f32:1x16x3x5 =f32:24x16x1x1 =f32:24", .attrs = "act=clip act_alpha=-0.5 act_beta=0.5",
         FLOATS},
        {FUSED_CONV, .inputs = "f32:1x16x3x5 =f32:24x16x1x1 =f32:24",
         .attrs = "act=hard_sigmoid act_alpha=0.2 act_beta=0.5", FLOATS},
        {CONV, .inputs = "f16:2x16x5x7 =f16:24x16x1x1", .then = "Mul =f16:1x24x1x1;Sigmoid", HALVES},
        {CONV, .inputs = "f32:2x16x5x7 =f32:24x16x1x1", .then = "ferry:Silu;Mul =f32:1x24x1x1;Mul f32:2x24x1x1",
         .plus = "f32:2x24x5x7", FLOATS},
        {CONV, .inputs = "f16:1x16x5x7 =f16:20x16x1x1", .plus = "f16:1x20x5x7", HALVES},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

// Enough rows and columns for all tiles, steps to go round the rings, and none.
static void conv__of_large_tiles(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {FUSED_CONV, .inputs = "f16:2x72x9x9 =f16:136x72x3x3 =f32:136 f16:2x136x9x9", .attrs = "pads=1,1,1,1 act=relu",
         HALVES},
        {CONV, .inputs = "bf16:3x24x7x9 =bf16:137x24x1x1 =bf16:137", BRAINS},
        {CONV, .inputs = "f16:2x3x19x21 =f16:65x3x7x7", .attrs = "pads=3,3,3,3 strides=2,2", HALVES,
         .then = "Mul =f16:1x65x1x1"},
        {CONV, .inputs = "f16:2x16x20x20 =f16:130x16x1x1 =f16:130", .plus = "f16:2x130x20x20", HALVES},
        {CONV, .inputs = "f16:1x136x27x31 =f16:72x136x1x1", HALVES},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

// Factors of 11 bits, sums of floats.
static void products__of_tf32(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {"", "Conv", "f32:2x12x5x5 =f32:17x12x1x1 =f32:17", ROUNDED, .tactics = "conv_mma_"},
        {"", "Conv", "f32:1x36x5x6 =f32:72x36x3x3", "pads=1,1,1,1", ROUNDED, .tactics = "conv_mma_"},
        {"", "Conv", "f32:1x3x17x15 =f32:32x3x7x7 =f32:32", "pads=3,3,3,3 strides=2,2", ROUNDED,
         .tactics = "conv_mma_"},
        {"ferry", "FusedConv", "f32:2x136x9x9 =f32:136x136x1x1 =f32:136 f32:2x136x9x9", "act=relu", ROUNDED,
         .tactics = "conv_mma_"},
        {"", "Gemm", "f32:5x40 =f32:40x33 =f32:33", ROUNDED, .then = "Relu", .tactics = "matrix_mma_"},
        {"", "MatMul", "f32:70x136 =f32:136x130", ROUNDED, .tactics = "matrix_mma_"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void matrix__products(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {"", "Gemm", "f16:1x136 =f16:136x50 =f16:50", HALVES, .tactics = "matrix_"},
        {"", "Gemm", "f16:37x64 =f16:72x64 =f16:72", "transB=1 alpha=0.5 beta=2", HALVES, .tactics = "matrix_"},
        {"", "Gemm", "f32:5x40 =f32:40x33 =f32:33", FLOATS, .then = "Relu", .tactics = "matrix_"},
        {"", "MatMul", "f16:2x19x32 =f16:32x48", HALVES, .tactics = "matrix_", .plus = "f16:2x19x48"},
        {"", "MatMul", "bf16:9x32 =bf16:32x48", BRAINS, .tactics = "matrix_"},
        {"ferry", "FusedGemm", "f32:2x7x16 =f32:16x8 =f32:8 f32:2x7x8", "act=relu", FLOATS, .tactics = "matrix_"},
        {"ferry", "FusedGemm", "f16:70x24 =f16:24x136 =f32:136", HALVES, .then = "Gelu", .tactics = "matrix_"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv__of_evenly_lying_rows), cmocka_unit_test(conv__of_windows),
        cmocka_unit_test(conv__with_what_follows),    cmocka_unit_test(conv__of_large_tiles),
        cmocka_unit_test(products__of_tf32),          cmocka_unit_test(matrix__products),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
