// SPDX-License-Identifier: Apache-2.0
// Int8 convolutions and matrix products, to the bit, on random and on extreme data.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/kernel_case.h"

#define CONV .domain = "ferry", .op = "QConv", .tactics = "conv_s8_gemm"

static void conv_s8__matches_reference_to_the_bit(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {CONV, .inputs = "s8:1x16x7x7 =s8:32x16x1x1 =f32:32@0.01 =f32:32@9"},
        {CONV, .inputs = "s8:2x17x5x3 =s8:19x17x1x1 =f32:19@0.01 =f32:19@9"},
        {CONV, .inputs = "s8:1x2x1x1 =s8:1x2x1x1 =f32:1 =f32:1"},
        {CONV, .inputs = "s8:1x24x6x6 =s8:40x24x1x1 =f32:40@0.01 =f32:40", .attrs = "strides=2,2"},
        {CONV, .inputs = "s8:1x9x9x11 =s8:33x9x3x3 =f32:33@0.002 =f32:33@30", .attrs = "pads=1,1,1,1"},
        {CONV, .inputs = "s8:2x12x9x8 =s8:7x12x3x2 =f32:7@0.002 =f32:7@30", .attrs = "pads=0,1,2,1 strides=2,1"},
        {CONV, .inputs = "s8:1x8x13x13 =s8:16x8x3x3 =f32:16@0.002 =f32:16", .attrs = "pads=2,2,2,2 dilations=2,2"},
        {CONV, .inputs = "s8:1x3x20x21 =s8:24x3x3x3 =f32:24@0.01 =f32:24", .attrs = "pads=1,1,1,1 strides=2,2"},
        {CONV, .inputs = "s8:2x3x9x10 =s8:8x3x2x2 =f32:8@0.01 =f32:8", .attrs = "pads=0,1,1,0"},
        {CONV, .inputs = "s8:1x3x30x31 =s8:16x3x7x7 =f32:16@0.01 =f32:16", .attrs = "pads=3,3,3,3 strides=2,2"},
        {CONV, .inputs = "s8:2x3x70x133 =s8:16x3x3x3 =f32:16@0.01 =f32:16",
         .attrs = "pads=1,1,1,1 strides=2,2 x_zero=-7"},
        {CONV, .inputs = "s8:1x3x21x200 =s8:16x3x7x7 =f32:16@0.01 =f32:16",
         .attrs = "pads=3,3,3,3 strides=2,2 x_zero=9"},
        {CONV, .inputs = "s8:1x7x6x9 =s8:10x7x3x3 =f32:10@0.01 =f32:10", .attrs = "pads=1,1,1,1"},
        {CONV, .inputs = "s8:1x32x6x6 =s8:48x8x3x3 =f32:48@0.002 =f32:48", .attrs = "group=4 pads=1,1,1,1"},
        {CONV, .inputs = "s8:1x12x6x6 =s8:12x3x3x3 =f32:12@0.01 =f32:12", .attrs = "group=4 pads=1,1,1,1"},
        {CONV, .inputs = "s8:1x10x37 =s8:20x10x5 =f32:20@0.01 =f32:20", .attrs = "pads=2,2"},
        {CONV, .inputs = "s8:2x3x17 =s8:3x3x2 =f32:3@0.01 =f32:3"},
        {CONV, .inputs = "s8:1x16x6x9 =s8:5x16x1x3 =f32:5@0.01 =f32:5"},
        {CONV, .inputs = "s8:1x8x4x5x6 =s8:9x8x2x3x3 =f32:9@0.002 =f32:9", .attrs = "pads=0,1,1,1,1,1"},
        {CONV, .inputs = "s8:1x260x5x5 =s8:70x260x3x3 =f32:70@0.0003 =f32:70", .attrs = "pads=1,1,1,1"},
        {CONV, .inputs = "s8:1x9x9x11 =s8:33x9x3x3 =f32:33@0.002 =f32:33@30", .attrs = "pads=1,1,1,1 x_zero=-128"},
        {CONV, .inputs = "s8:1x32x6x6 =s8:48x8x3x3 =f32:48@0.002 =f32:48", .attrs = "group=4 pads=1,1,1,1 x_zero=-117"},
        {CONV, .inputs = "s8:1x3x20x21 =s8:24x3x3x3 =f32:24@0.01 =f32:24",
         .attrs = "pads=1,1,1,1 strides=2,2 x_zero=127"},
        {CONV, .inputs = "s8:1x16x9x7 =s8:33x16x3x3 =f32:33@0.002 =f32:33", .attrs = "pads=2,1,0,1 x_zero=5"},
        {CONV, .inputs = "s8:1x16x7x7 =s8:33x16x1x1 =f32:33@0.01 =f32:33@9", .attrs = "act=relu"},
        {CONV, .inputs = "s8:1x16x7x7 =s8:33x16x1x1 =f32:33@0.01 =f32:33@9",
         .attrs = "act=clip act_alpha=-3 act_beta=20"},
        {CONV, .inputs = "s8:1x16x7x7 =s8:33x16x1x1 =f32:33@0.01 =f32:33@9", .attrs = "act=leaky_relu act_alpha=0.1"},
        {CONV, .inputs = "s8:1x16x7x7 =s8:33x16x1x1 =f32:33@0.01 =f32:33@9",
         .attrs = "act=hard_sigmoid act_alpha=0.2 act_beta=50 act_gamma=100"},
        {CONV, .inputs = "s8:1x16x7x7 =s8:33x16x1x1 =f32:33@0.01 =f32:33@9 s8:1x33x7x7",
         .attrs = "r_mult=0.7 act=relu"},
        {CONV, .inputs = "s8:1x16x7x7 =s8:33x16x1x1 =f32:33@0.01 =f32:33@9 f32:1x33x7x7@50",
         .attrs = "r_mult=0.7 act=relu act_first=1"},
        {CONV, .inputs = "s8:1x16x9x7 =s8:64x16x1x1 =f32:64@0.01 =f32:64@9 s8:1x64x9x7",
         .attrs = "r_mult=0.7 act=clip act_alpha=-3.25 act_beta=20.5 act_first=1"},
        {CONV, .inputs = "s8:1x16x5x3 =s8:64x16x1x1 =f32:64@0.01 =f32:64@9 s8:1x64x5x3",
         .attrs = "r_mult=0.7 act=clip act_alpha=-300 act_beta=-128.5"},
        {CONV, .inputs = "s8:1x16x1x3 =s8:96x16x1x1 =f32:96@1e6 =f32:96@1e20",
         .attrs = "act=clip act_alpha=5 act_beta=2"},
        {CONV, .inputs = "s8:1x16x7x7 =s8:33x16x1x1 =f32:33@0.01 =f32:33@9 f16:1x33x7x7@50", .attrs = "r_mult=0.7"},
        {CONV, .inputs = "s8:1x16x7x7 =s8:33x16x1x1 =f32:33@0.01 =f32:33@9", .attrs = "to=1"},
        {CONV, .inputs = "s8:1x16x7x7 =s8:33x16x1x1 =f32:33@0.01 =f32:33@9 s8:1x33x7x7", .attrs = "to=3 r_mult=0.1"},
    };
    KERNEL_CASES_RUN(cases);
}

static void depthwise_s8__matches_reference_to_the_bit(void **unused)
{
    (void)unused;
#define DEPTHWISE .domain = "ferry", .op = "QConv", .tactics = "conv_s8_depthwise"
    static const kernel_case cases[] = {
        {DEPTHWISE, .inputs = "s8:1x16x7x7 =s8:16x1x3x3 =f32:16@0.05 =f32:16", .attrs = "group=16 pads=1,1,1,1"},
        {DEPTHWISE, .inputs = "s8:2x33x9x10 =s8:33x1x3x3 =f32:33@0.05 =f32:33",
         .attrs = "group=33 pads=1,1,1,1 strides=2,2"},
        {DEPTHWISE, .inputs = "s8:1x150x12x25 =s8:150x1x5x5 =f32:150@0.01 =f32:150",
         .attrs = "group=150 pads=2,2,2,2 act=relu"},
        {DEPTHWISE, .inputs = "s8:1x5x3x3 =s8:5x1x5x5 =f32:5@0.01 =f32:5", .attrs = "group=5 pads=2,2,2,2"},
        {DEPTHWISE, .inputs = "s8:1x64x11x13 =s8:64x1x3x3 =f32:64@0.05 =f32:64",
         .attrs = "group=64 pads=4,4,4,4 dilations=4,4 act=clip act_alpha=-200 act_beta=-150"},
        {DEPTHWISE, .inputs = "s8:1x7x30 =s8:7x1x5 =f32:7@0.05 =f32:7", .attrs = "group=7 pads=0,3"},
        {DEPTHWISE, .inputs = "s8:1x18x4x5x6 =s8:18x1x3x3x3 =f32:18@0.05 =f32:18",
         .attrs = "group=18 pads=1,1,1,1,1,1"},
        {DEPTHWISE, .inputs = "s8:1x35x8x7 =s8:35x1x3x3 =f32:35@0.05 =f32:35 s8:1x35x8x7",
         .attrs = "group=35 pads=1,1,1,1 act=leaky_relu act_alpha=0.1 r_mult=0.5"},
        {DEPTHWISE, .inputs = "s8:1x35x8x7 =s8:35x1x3x3 =f32:35@0.05 =f32:35 f32:1x35x8x7",
         .attrs = "group=35 pads=1,1,1,1 act=hard_sigmoid act_alpha=0.2 act_beta=30 act_gamma=100 to=1"},
        {DEPTHWISE, .inputs = "s8:1x35x8x7 =s8:35x1x3x3 =f32:35@0.05 =f32:35", .attrs = "group=35 pads=1,1,1,1 to=2"},
        {DEPTHWISE, .inputs = "s8:1x35x8x7 =s8:35x1x3x3 =f32:35@0.05 =f32:35",
         .attrs = "group=35 pads=1,1,1,1 x_zero=-128 to=1"},
        {DEPTHWISE, .inputs = "s8:1x18x4x5x6 =s8:18x1x3x3x3 =f32:18@0.05 =f32:18",
         .attrs = "group=18 pads=1,1,1,1,1,1 x_zero=77"},
        {DEPTHWISE, .inputs = "s8:1x1x1x1 =s8:1x1x1x1 =f32:1 =f32:1"},
    };
    KERNEL_CASES_RUN(cases);
}

// Windows of copied lines: channels that fill blocks and that do not, borders wider than the picture, lines and columns
// that do not fit a window at once, strides, bounds beyond int8.
static void depthwise_lines_s8__match_reference_to_the_bit(void **unused)
{
    (void)unused;
#define LACKS "none neon neonfp16 neondot neoni8mm"
#define LINES .domain = "ferry", .op = "QConv", .tactics = "conv_s8_depthwise_lines", .lacks = LACKS
    static const kernel_case cases[] = {
        {LINES, .inputs = "s8:1x64x7x7 =s8:64x1x3x3 =f32:64@0.05 =f32:64", .attrs = "group=64 pads=1,1,1,1"},
        {LINES, .inputs = "s8:2x24x9x11 =s8:24x1x3x3 =f32:24@0.05 =f32:24",
         .attrs = "group=24 pads=1,1,1,1 act=clip act_alpha=0 act_beta=90"},
        {LINES, .inputs = "s8:1x144x14x13 =s8:144x1x3x3 =f32:144@0.05 =f32:144",
         .attrs = "group=144 pads=0,0,1,1 strides=2,2 act=relu"},
        {LINES, .inputs = "s8:1x120x10x9 =s8:120x1x5x5 =f32:120@0.02 =f32:120@60", .attrs = "group=120 pads=2,2,2,2"},
        {LINES, .inputs = "s8:1x16x11x12 =s8:16x1x5x5 =f32:16@0.02 =f32:16@60",
         .attrs = "group=16 pads=2,2,2,2 strides=2,2"},
        {LINES, .inputs = "s8:1x8x9x10 =s8:8x1x7x7 =f32:8@0.01 =f32:8", .attrs = "group=8 pads=3,3,3,3"},
        {LINES, .inputs = "s8:1x96x3x500 =s8:96x1x3x3 =f32:96@0.05 =f32:96", .attrs = "group=96 pads=1,1,1,1"},
        {LINES, .inputs = "s8:1x672x7x9 =s8:672x1x3x3 =f32:672@0.05 =f32:672", .attrs = "group=672 pads=1,1,1,1"},
        {LINES, .inputs = "s8:1x33x6x5 =s8:33x1x2x4 =f32:33@0.05 =f32:33", .attrs = "group=33 strides=1,3"},
        {LINES, .inputs = "s8:1x40x20x21 =s8:40x1x3x3 =f32:40@0.05 =f32:40",
         .attrs = "group=40 pads=4,3,4,3 dilations=4,3 strides=1,2"},
        {LINES, .inputs = "s8:1x64x1x1 =s8:64x1x5x5 =f32:64@0.05 =f32:64", .attrs = "group=64 pads=4,4,4,4"},
        {LINES, .inputs = "s8:1x32x6x6 =s8:32x1x3x3 =f32:32@0.05 =f32:32",
         .attrs = "group=32 pads=1,1,1,1 act=clip act_alpha=-200 act_beta=-150"},
        {LINES, .inputs = "s8:1x32x6x6 =s8:32x1x3x3 =f32:32@1e9 =f32:32@1e20", .attrs = "group=32 pads=1,1,1,1"},
        {LINES, .inputs = "s8:1x64x7x7 =s8:64x1x3x3 =f32:64@0.05 =f32:64",
         .attrs = "group=64 pads=1,1,1,1 x_zero=-128"},
        {LINES, .inputs = "s8:2x24x9x11 =s8:24x1x3x3 =f32:24@0.05 =f32:24",
         .attrs = "group=24 pads=1,1,1,1 x_zero=-113"},
        {LINES, .inputs = "s8:1x16x11x12 =s8:16x1x5x5 =f32:16@0.02 =f32:16@60",
         .attrs = "group=16 pads=2,2,2,2 strides=2,2 x_zero=127"},
        {LINES, .inputs = "s8:3x7x30 =s8:7x1x5 =f32:7@0.05 =f32:7", .attrs = "group=7 pads=0,3"},
    };
    KERNEL_CASES_RUN(cases);
}

// Quads of lines: channels that fill units and that do not, fewer columns than are made at once, one and two quads,
// lines that do not fit at once, strides, borders wider than the picture, bounds beyond int8.
static void depthwise_quads_s8__match_reference_to_the_bit(void **unused)
{
    (void)unused;
#define ALL_BUT_VNNI LACKS " avx2 avx512"
#define QUADS .domain = "ferry", .op = "QConv", .tactics = "conv_s8_depthwise_quads", .lacks = ALL_BUT_VNNI
    static const kernel_case cases[] = {
        {QUADS, .inputs = "s8:1x64x7x7 =s8:64x1x3x3 =f32:64@0.05 =f32:64", .attrs = "group=64 pads=1,1,1,1"},
        {QUADS, .inputs = "s8:2x24x9x11 =s8:24x1x3x3 =f32:24@0.05 =f32:24",
         .attrs = "group=24 pads=1,1,1,1 act=clip act_alpha=0 act_beta=90"},
        {QUADS, .inputs = "s8:1x144x14x13 =s8:144x1x3x3 =f32:144@0.05 =f32:144",
         .attrs = "group=144 pads=0,0,1,1 strides=2,2 act=relu"},
        {QUADS, .inputs = "s8:1x120x10x9 =s8:120x1x5x5 =f32:120@0.02 =f32:120@60", .attrs = "group=120 pads=2,2,2,2"},
        {QUADS, .inputs = "s8:1x16x11x12 =s8:16x1x5x5 =f32:16@0.02 =f32:16@60",
         .attrs = "group=16 pads=2,2,2,2 strides=2,2"},
        {QUADS, .inputs = "s8:1x8x9x10 =s8:8x1x7x7 =f32:8@0.01 =f32:8", .attrs = "group=8 pads=3,3,3,3"},
        {QUADS, .inputs = "s8:1x96x3x500 =s8:96x1x3x3 =f32:96@0.05 =f32:96", .attrs = "group=96 pads=1,1,1,1"},
        {QUADS, .inputs = "s8:1x672x7x9 =s8:672x1x3x3 =f32:672@0.05 =f32:672", .attrs = "group=672 pads=1,1,1,1"},
        {QUADS, .inputs = "s8:1x33x6x5 =s8:33x1x2x4 =f32:33@0.05 =f32:33", .attrs = "group=33 strides=1,3"},
        {QUADS, .inputs = "s8:1x40x20x21 =s8:40x1x3x3 =f32:40@0.05 =f32:40",
         .attrs = "group=40 pads=1,3,1,3 dilations=1,3 strides=1,2"},
        {QUADS, .inputs = "s8:1x64x1x1 =s8:64x1x5x5 =f32:64@0.05 =f32:64", .attrs = "group=64 pads=4,4,4,4"},
        {QUADS, .inputs = "s8:1x32x6x6 =s8:32x1x3x3 =f32:32@0.05 =f32:32",
         .attrs = "group=32 pads=1,1,1,1 act=clip act_alpha=-200 act_beta=-150"},
        {QUADS, .inputs = "s8:1x32x6x6 =s8:32x1x3x3 =f32:32@1e9 =f32:32@1e20", .attrs = "group=32 pads=1,1,1,1"},
        {QUADS, .inputs = "s8:1x64x7x7 =s8:64x1x3x3 =f32:64@0.05 =f32:64",
         .attrs = "group=64 pads=1,1,1,1 x_zero=-128"},
        {QUADS, .inputs = "s8:2x24x9x11 =s8:24x1x3x3 =f32:24@0.05 =f32:24",
         .attrs = "group=24 pads=1,1,1,1 x_zero=-113"},
        {QUADS, .inputs = "s8:1x16x11x12 =s8:16x1x5x5 =f32:16@0.02 =f32:16@60",
         .attrs = "group=16 pads=2,2,2,2 strides=2,2 x_zero=127"},
        {QUADS, .inputs = "s8:1x32x9x20 =s8:32x1x5x5 =f32:32@0.02 =f32:32@60",
         .attrs = "group=32 pads=2,2,2,2 strides=1,2"},
        {QUADS, .inputs = "s8:2x48x12x3 =s8:48x1x9x2 =f32:48@0.02 =f32:48@60", .attrs = "group=48 pads=4,1,4,1"},
        {QUADS, .inputs = "s8:1x176x13x2 =s8:176x1x4x1 =f32:176@0.05 =f32:176", .attrs = "group=176 pads=2,0,1,0"},
        {QUADS, .inputs = "s8:3x7x30 =s8:7x1x5 =f32:7@0.05 =f32:7", .attrs = "group=7 pads=0,3"},
    };
    KERNEL_CASES_RUN(cases);
}

static void conv_s8__looks_results_up_in_its_store(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {CONV, .inputs = "s8:1x16x7x7 =s8:32x16x1x1 =f32:32@0.01 =f32:32@9", .then = "ferry:QTable =s8:256"},
        {CONV, .inputs = "s8:2x9x9x11 =s8:35x9x3x3 =f32:35@0.002 =f32:35@30", .attrs = "pads=1,1,1,1 act=relu",
         .then = "ferry:QTable =s8:256"},
        {CONV, .inputs = "s8:1x32x12x12 =s8:48x8x3x3 =f32:48@0.002 =f32:48 s8:1x48x10x10",
         .attrs = "group=4 r_mult=0.7", .then = "ferry:QTable =s8:256"},
        {LINES, .inputs = "s8:1x24x9x11 =s8:24x1x3x3 =f32:24@0.05 =f32:24", .attrs = "group=24 pads=1,1,1,1",
         .then = "ferry:QTable =s8:256"},
        {QUADS, .inputs = "s8:1x24x9x11 =s8:24x1x3x3 =f32:24@0.05 =f32:24", .attrs = "group=24 pads=1,1,1,1",
         .then = "ferry:QTable =s8:256"},
        {QUADS, .inputs = "s8:1x1160x5x3 =s8:1160x1x5x5 =f32:1160@0.05 =f32:1160", .attrs = "group=1160 pads=2,2,2,2",
         .then = "ferry:QTable =s8:256"},
        {LINES, .inputs = "s8:1x1160x5x3 =s8:1160x1x5x5 =f32:1160@0.05 =f32:1160", .attrs = "group=1160 pads=2,2,2,2",
         .then = "ferry:QTable =s8:256"},
    };
    KERNEL_CASES_RUN(cases);
}

static void matrix_s8__matches_reference_to_the_bit(void **unused)
{
    (void)unused;
#define GEMM .domain = "ferry", .op = "QGemm", .tactics = "matrix_s8"
    static const kernel_case cases[] = {
        {GEMM, .inputs = "s8:1x64 =s8:64x10 =f32:10@0.01 =f32:10@5"},
        {GEMM, .inputs = "s8:13x37 =s8:37x33 =f32:33@0.01 =f32:33@5", .attrs = "act=relu"},
        {GEMM, .inputs = "s8:12x16 =s8:65x16 =f32:65@0.01 =f32:65@5", .attrs = "transB=1 to=1"},
        {GEMM, .inputs = "s8:2x5x24 =s8:24x40 =f32:40@0.01 =f32:40 s8:2x5x40", .attrs = "r_mult=1.5"},
        {GEMM, .inputs = "s8:1x1283 =s8:1283x1001 =f32:1001@0.001 =f32:1001@5"},
    };
    KERNEL_CASES_RUN(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv_s8__matches_reference_to_the_bit),
        cmocka_unit_test(depthwise_s8__matches_reference_to_the_bit),
        cmocka_unit_test(depthwise_lines_s8__match_reference_to_the_bit),
        cmocka_unit_test(depthwise_quads_s8__match_reference_to_the_bit),
        cmocka_unit_test(conv_s8__looks_results_up_in_its_store),
        cmocka_unit_test(matrix_s8__matches_reference_to_the_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
