// SPDX-License-Identifier: Apache-2.0
// The CUDA backend's products and windows of int8 against the reference kernels, to the bit, with every tile that is
// offered.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/kernel_case.h"

#define CONV .domain = "ferry", .op = "QConv", .tactics = "conv_"
#define GEMM .domain = "ferry", .op = "QGemm", .tactics = "matrix_"
#define WINDOW .domain = "ferry", .op = "QConv", .tactics = "integer_window"

static void conv__of_evenly_lying_rows(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {CONV, .inputs = "s8:1x16x7x7 =s8:32x16x1x1 =f32:32@0.01 =f32:32@9"},
        {CONV, .inputs = "s8:2x17x5x3 =s8:19x17x1x1 =f32:19@0.01 =f32:19@9"}, // channels that end within a chunk
        {CONV, .inputs = "s8:1x600x3x3 =s8:40x600x1x1 =f32:40@0.0003 =f32:40"},
        {CONV, .inputs = "s8:1x24x6x6 =s8:40x24x1x1 =f32:40@0.01 =f32:40", .attrs = "strides=2,2"},
        {CONV, .inputs = "s8:1x20x9 =s8:20x20x1 =f32:20@0.01 =f32:20"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void conv__of_windows(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {CONV, .inputs = "s8:1x9x9x11 =s8:33x9x3x3 =f32:33@0.002 =f32:33@30", .attrs = "pads=1,1,1,1"},
        {CONV, .inputs = "s8:2x12x9x8 =s8:7x12x3x2 =f32:7@0.002 =f32:7@30", .attrs = "pads=0,1,2,1 strides=2,1"},
        {CONV, .inputs = "s8:1x8x13x13 =s8:16x8x3x3 =f32:16@0.002 =f32:16",
         .attrs = "pads=2,2,2,2 dilations=2,2 x_zero=-3"},
        {CONV, .inputs = "s8:1x32x9x11 =s8:33x32x3x3 =f32:33@0.002 =f32:33@30", .attrs = "pads=1,1,1,1 x_zero=-128"},
        {CONV, .inputs = "s8:1x3x10x11 =s8:24x3x4x4 =f32:24@0.01 =f32:24", .attrs = "x_zero=-7"},
        {CONV, .inputs = "s8:1x3x20x21 =s8:24x3x3x3 =f32:24@0.01 =f32:24",
         .attrs = "pads=1,1,1,1 strides=2,2 x_zero=127"},
        {CONV, .inputs = "s8:2x3x19x21 =s8:65x3x7x7 =f32:65@0.002 =f32:65@9",
         .attrs = "pads=3,3,3,3 strides=2,2 x_zero=-128"},
        {CONV, .inputs = "s8:1x4x11x12 =s8:24x4x5x2 =f32:24@0.01 =f32:24",
         .attrs = "pads=1,2,0,1 strides=1,2 x_zero=9"},
        {CONV, .inputs = "s8:1x1x9x9 =s8:24x1x3x7 =f32:24@0.01 =f32:24", .attrs = "pads=1,3,1,3"},
        {CONV, .inputs = "s8:1x10x37 =s8:20x10x5 =f32:20@0.01 =f32:20", .attrs = "pads=2,2 x_zero=5"},
        {CONV, .inputs = "s8:1x260x5x5 =s8:70x260x3x3 =f32:70@0.0003 =f32:70", .attrs = "pads=1,1,1,1"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void conv__with_what_follows(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {CONV, .inputs = "s8:1x16x7x7 =s8:33x16x1x1 =f32:33@0.01 =f32:33@9", .attrs = "act=relu"},
        {CONV, .inputs = "s8:1x16x7x7 =s8:33x16x1x1 =f32:33@0.01 =f32:33@9", .attrs = "act=leaky_relu act_alpha=0.1"},
        {CONV, .inputs = "s8:1x16x7x7 =s8:33x16x1x1 =f32:33@0.01 =f32:33@9 s8:1x33x7x7",
         .attrs = "r_mult=0.7 act=hard_sigmoid act_alpha=0.2 act_beta=50 act_gamma=100"},
        {CONV, .inputs = "s8:1x16x7x7 =s8:40x16x1x1 =f32:40@0.01 =f32:40@9 f32:1x40x7x7@50",
         .attrs = "r_mult=0.7 act=relu act_first=1"},
        {CONV, .inputs = "s8:1x16x9x7 =s8:64x16x1x1 =f32:64@0.01 =f32:64@9 s8:1x64x9x7",
         .attrs = "r_mult=0.7 act=clip act_alpha=-3.25 act_beta=20.5 act_first=1"},
        {CONV, .inputs = "s8:1x16x1x3 =s8:96x16x1x1 =f32:96@1e6 =f32:96@1e20",
         .attrs = "act=clip act_alpha=5 act_beta=2"},
        {CONV, .inputs = "s8:1x16x7x7 =s8:32x16x1x1 =f32:32@0.01 =f32:32@9 f16:1x32x7x7@50", .attrs = "r_mult=0.7"},
        {CONV, .inputs = "s8:1x16x7x7 =s8:33x16x1x1 =f32:33@0.01 =f32:33@9", .attrs = "to=1"},
        {CONV, .inputs = "s8:2x9x9x11 =s8:35x9x3x3 =f32:35@0.002 =f32:35@30", .attrs = "pads=1,1,1,1 act=relu",
         .then = "ferry:QTable =s8:256"},
        {CONV, .inputs = "s8:1x16x7x7 =s8:32x16x1x1 =f32:32@0.01 =f32:32@9 s8:1x32x7x7", .attrs = "r_mult=0.7",
         .then = "ferry:QTable =f32:256"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void matrix__products(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {GEMM, .inputs = "s8:1x64 =s8:64x10 =f32:10@0.01 =f32:10@5"},
        {GEMM, .inputs = "s8:70x37 =s8:37x33 =f32:33@0.01 =f32:33@5", .attrs = "act=relu"},
        {GEMM, .inputs = "s8:12x16 =s8:65x16 =f32:65@0.01 =f32:65@5", .attrs = "transB=1 to=1"},
        {GEMM, .inputs = "s8:2x5x24 =s8:24x40 =f32:40@0.01 =f32:40 s8:2x5x40", .attrs = "r_mult=1.5"},
        {GEMM, .inputs = "s8:1x1283 =s8:1283x101 =f32:101@0.001 =f32:101@5"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void conv__in_groups(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {WINDOW, .inputs = "s8:1x16x7x7 =s8:16x1x3x3 =f32:16@0.05 =f32:16", .attrs = "group=16 pads=1,1,1,1"},
        {WINDOW, .inputs = "s8:2x33x9x10 =s8:33x1x3x3 =f32:33@0.05 =f32:33",
         .attrs = "group=33 pads=1,1,1,1 strides=2,2 x_zero=-128 act=relu"},
        {WINDOW, .inputs = "s8:1x64x11x13 =s8:64x1x5x3 =f32:64@0.05 =f32:64",
         .attrs = "group=64 pads=4,4,4,4 dilations=4,4 x_zero=7"},
        {WINDOW, .inputs = "s8:1x32x6x6 =s8:48x8x3x3 =f32:48@0.002 =f32:48",
         .attrs = "group=4 pads=1,1,1,1 x_zero=-117"},
        {WINDOW, .inputs = "s8:1x12x6x6 =s8:12x3x3x3 =f32:12@0.01 =f32:12", .attrs = "group=4 pads=1,1,1,1"},
        {WINDOW, .inputs = "s8:1x7x30 =s8:7x1x5 =f32:7@0.05 =f32:7", .attrs = "group=7 pads=0,3"},
        {WINDOW, .inputs = "s8:1x36x8x7 =s8:36x1x3x3 =f32:36@0.05 =f32:36 s8:1x36x8x7",
         .attrs = "group=36 pads=1,1,1,1 act=leaky_relu act_alpha=0.1 r_mult=0.5"},
        {WINDOW, .inputs = "s8:1x35x8x7 =s8:35x1x3x3 =f32:35@0.05 =f32:35 f32:1x35x8x7",
         .attrs = "group=35 pads=1,1,1,1 act_first=1 act=relu to=1"},
        {WINDOW, .inputs = "s8:1x24x9x11 =s8:24x1x3x3 =f32:24@0.05 =f32:24", .attrs = "group=24 pads=1,1,1,1",
         .then = "ferry:QTable =s8:256"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void pools(void **state)
{
    (void)state;
#define POOL .tactics = "integer_pool"
    static const kernel_case cases[] = {
        {"", "MaxPool", "s8:1x16x13x11", "kernel_shape=3,3 strides=2,2 pads=1,1,1,1", POOL},
        {"", "MaxPool", "s8:2x48x9x8", "kernel_shape=3,3 strides=2,2 pads=1,1,1,1", POOL},
        {"", "MaxPool", "s8:2x7x9x8", "kernel_shape=2,3 ceil_mode=1 strides=2,2", POOL},
        {"", "MaxPool", "s8:1x36x9x9", "kernel_shape=5,5 pads=2,2,2,2", POOL},
        {"ferry", "QAveragePool", "s8:1x20x9x9", "kernel_shape=3,3 pads=1,1,1,1 mult=0.7 shift=-3.5", POOL},
        {"ferry", "QAveragePool", "s8:2x7x9x8", "kernel_shape=5,4 pads=2,1,2,2 count_include_pad=1 mult=1.3", POOL},
        {"ferry", "QAveragePool", "s8:1x8x17", "kernel_shape=3 strides=2 mult=1.3 to=1", POOL},
        {"ferry", "QGlobalAveragePool", "s8:2x132x7x7", "mult=1.7 shift=20.5", POOL},
        {"ferry", "QGlobalAveragePool", "s8:1x33x2x3", "mult=1.7 to=1", POOL},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv__of_evenly_lying_rows),
        cmocka_unit_test(conv__of_windows),
        cmocka_unit_test(conv__with_what_follows),
        cmocka_unit_test(matrix__products),
        cmocka_unit_test(conv__in_groups),
        cmocka_unit_test(pools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
