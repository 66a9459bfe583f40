// SPDX-License-Identifier: Apache-2.0
// Convolutions of f16 and bf16 against the reference: windows, pads, groups, odd numbers of channels, tails of rows and
// columns, every epilogue.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/kernel_case.h"

// Instruction sets for which there are no kernels of bf16.
#define LACKS "avx2 neon neonfp16 neondot neoni8mm"
// Those without f16's.
#define LACKS_F16 "none avx2 avx512 avx512vnni avx512bf16 avx512vbmi neon"

// Sums in f32, rounded once: the reference's element, or the bf16 next to it where the sum lies near the middle.
#define CLOSE .of_largest = 4e-6, .of_each = 0x1p-7, .lacks = LACKS
#define GEMM CLOSE, .tactics = "conv_bf16_gemm"
#define CONV .domain = "", .op = "Conv", GEMM
#define FUSED .domain = "ferry", .op = "FusedConv", GEMM

static void conv_bf16__matches_reference_for_every_geometry(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {CONV, .inputs = "bf16:1x16x7x7 =bf16:32x16x1x1 =bf16:32"},
        {CONV, .inputs = "bf16:2x17x5x3 =bf16:19x17x1x1"},
        {CONV, .inputs = "bf16:1x8x1x1 =bf16:1x8x1x1"},
        {CONV, .inputs = "bf16:1x24x6x6 =bf16:40x24x1x1", .attrs = "strides=2,2"},
        {CONV, .inputs = "bf16:1x9x9x11 =bf16:33x9x3x3 =bf16:33", .attrs = "pads=1,1,1,1"},
        {CONV, .inputs = "bf16:2x12x9x8 =bf16:7x12x3x2 =bf16:7", .attrs = "pads=0,1,2,1 strides=2,1"},
        {CONV, .inputs = "bf16:1x8x13x13 =bf16:16x8x3x3", .attrs = "pads=2,2,2,2 dilations=2,2"},
        {CONV, .inputs = "bf16:1x8x12x12 =bf16:16x8x5x5", .attrs = "auto_pad=SAME_UPPER strides=2,2"},
        {CONV, .inputs = "bf16:1x3x20x21 =bf16:24x3x3x3 =bf16:24", .attrs = "pads=1,1,1,1 strides=2,2"},
        {CONV, .inputs = "bf16:2x3x15x17 =bf16:33x3x7x7", .attrs = "pads=3,3,3,3 strides=2,2"},
        {CONV, .inputs = "bf16:1x1x9x9 =bf16:5x1x3x3"},
        {CONV, .inputs = "bf16:2x3x17 =bf16:3x3x2 =bf16:3"},
        {CONV, .inputs = "bf16:1x2x6x9 =bf16:5x2x1x3 =bf16:5"},
        {CONV, .inputs = "bf16:2x1x3x4x5 =bf16:4x1x1x1x2", .attrs = "pads=0,1,0,0,0,1"},
        {CONV, .inputs = "bf16:1x32x6x6 =bf16:48x8x3x3 =bf16:48", .attrs = "group=4 pads=1,1,1,1"},
        {CONV, .inputs = "bf16:1x12x6x6 =bf16:12x3x3x3", .attrs = "group=4 pads=1,1,1,1"},
        {CONV, .inputs = "bf16:1x22x6x6 =bf16:66x11x3x3", .attrs = "group=2"},
        {CONV, .inputs = "bf16:1x10x37 =bf16:20x10x5 =bf16:20", .attrs = "pads=2,2"},
        {CONV, .inputs = "bf16:1x8x4x5x6 =bf16:9x8x2x3x3 =bf16:9", .attrs = "pads=0,1,1,1,1,1"},
        {CONV, .inputs = "bf16:1x8x7x7 =bf16:8x8x7x7"},
        {CONV, .inputs = "bf16:1x40x4x4 =bf16:100x40x3x3", .attrs = "pads=1,1,1,1"},
        {CONV, .inputs = "bf16:1x64x12x12 =bf16:400x64x3x3", .attrs = "pads=1,1,1,1"},
    };
    KERNEL_CASES_RUN(cases);
}

static void fused_conv_bf16__matches_reference_for_every_epilogue(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {FUSED, .inputs = "bf16:1x16x7x7 =bf16:33x16x1x1 =f32:33", .attrs = "act=relu"},
        {FUSED, .inputs = "bf16:1x16x7x7 =bf16:64x16x1x1 =f32:64", .attrs = "act=clip act_alpha=-0.25 act_beta=0.5"},
        {FUSED, .inputs = "bf16:1x16x7x7 =bf16:20x16x3x3 =f32:20", .attrs = "act=leaky_relu act_alpha=0.1"},
        {FUSED, .inputs = "bf16:1x16x7x7 =bf16:32x16x3x3 -", .attrs = "act=hard_sigmoid act_alpha=0.2 act_beta=0.5"},
        {FUSED, .inputs = "bf16:1x16x7x7 =bf16:70x16x1x1 =f32:70 bf16:1x70x7x7", .attrs = "act=relu"},
        {FUSED, .inputs = "bf16:1x16x7x7 =bf16:64x16x1x1 =f32:64 bf16:1x64x7x7"},
        {FUSED, .inputs = "bf16:2x16x5x5 =bf16:48x16x1x1 - bf16:2x48x5x5", .attrs = "act=relu act_first=1 r_mult=0.5"},
        {FUSED, .inputs = "bf16:2x16x5x5 =bf16:48x16x1x1 - bf16:2x48x5x5", .attrs = "act=relu r_mult=0.5"},
        {FUSED, .inputs = "bf16:1x3x9x9 =bf16:16x3x3x3 =f32:16",
         .attrs = "act=clip act_alpha=0 act_beta=6 strides=2,2"},
    };
    KERNEL_CASES_RUN(cases);
}

// Pictures of few channels, with and without a conversion from f32 before the convolution.
static void conv_bf16_of_planes__matches_reference(void **unused)
{
    (void)unused;
#define PLANES CLOSE, .tactics = "conv_bf16_planes", .domain = ""
#define CAST PLANES, .op = "Cast", .attrs = "to=16"
    static const kernel_case cases[] = {
        {PLANES, .op = "Conv", .inputs = "bf16:1x3x20x21 =bf16:24x3x3x3 =bf16:24", .attrs = "pads=1,1,1,1 strides=2,2"},
        {PLANES, .op = "Conv", .inputs = "bf16:2x3x15x17 =bf16:33x3x7x7", .attrs = "pads=3,3,3,3 strides=2,2"},
        {PLANES, .op = "Conv", .inputs = "bf16:1x1x9x9 =bf16:5x1x3x3"},
        {PLANES, .op = "Conv", .inputs = "bf16:3x4x6x70 =bf16:40x4x2x4 =bf16:40", .attrs = "pads=2,5,1,4 strides=3,1"},
        {PLANES, .op = "Conv", .inputs = "bf16:1x3x9x2000 =bf16:8x3x3x3 =bf16:8", .attrs = "auto_pad=SAME_LOWER"},
        {PLANES, .op = "Conv", .inputs = "bf16:1x2x3x3 =bf16:70x2x1x1 =bf16:70", .attrs = "pads=4,4,4,4"},
        {CAST, .inputs = "f32:1x3x20x21", .then = "Conv =bf16:24x3x3x3 =bf16:24 pads=1,1,1,1 strides=2,2"},
        {CAST, .inputs = "f32:2x3x15x33", .then = "Conv =bf16:33x3x7x7 pads=3,3,3,3 strides=2,2"},
        {CAST, .inputs = "f32:1x1x11x9",
         .then = "ferry:FusedConv =bf16:16x1x4x3 =f32:16 act=clip act_alpha=0 act_beta=6 strides=2,1"},
    };
    KERNEL_CASES_RUN(cases);
}

// Runs of 64 products are summed in f16, whose rounding is 2^-11: 0.003 of the largest sum is three times what random
// numbers show.
#define GEMM_F16 .of_each = 0x1p-10, .tactics = "conv_f16_gemm", .lacks = LACKS_F16
#define OF_F16 .of_largest = 3e-3, .of_each = 0x1p-10, .lacks = LACKS_F16
#define CONV_F16 .domain = "", .op = "Conv", GEMM_F16, .of_largest = 3e-3
#define FUSED_F16 .domain = "ferry", .op = "FusedConv", GEMM_F16, .of_largest = 3e-3
#define CUT_F16                                                                                                        \
    .domain = "ferry", .op = "FusedConv", GEMM_F16, .of_largest = 3e-2 // much less than the largest sum is left

static void conv_f16__matches_reference_for_every_geometry(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {CONV_F16, .inputs = "f16:1x16x7x7 =f16:32x16x1x1 =f16:32"},
        {CONV_F16, .inputs = "f16:2x17x5x3 =f16:19x17x1x1"},
        {CONV_F16, .inputs = "f16:1x8x1x1 =f16:1x8x1x1"},
        {CONV_F16, .inputs = "f16:1x24x6x6 =f16:40x24x1x1", .attrs = "strides=2,2"},
        {CONV_F16, .inputs = "f16:1x9x9x11 =f16:33x9x3x3 =f16:33", .attrs = "pads=1,1,1,1"},
        {CONV_F16, .inputs = "f16:2x12x9x8 =f16:7x12x3x2 =f16:7", .attrs = "pads=0,1,2,1 strides=2,1"},
        {CONV_F16, .inputs = "f16:1x8x13x13 =f16:16x8x3x3", .attrs = "pads=2,2,2,2 dilations=2,2"},
        {CONV_F16, .inputs = "f16:1x8x12x12 =f16:16x8x5x5", .attrs = "auto_pad=SAME_UPPER strides=2,2"},
        {CONV_F16, .inputs = "f16:1x3x20x21 =f16:24x3x3x3 =f16:24", .attrs = "pads=1,1,1,1 strides=2,2"},
        {CONV_F16, .inputs = "f16:2x3x15x17 =f16:33x3x7x7", .attrs = "pads=3,3,3,3 strides=2,2"},
        {CONV_F16, .inputs = "f16:1x1x9x9 =f16:5x1x3x3"},
        {CONV_F16, .inputs = "f16:2x3x17 =f16:3x3x2 =f16:3"},
        {CONV_F16, .inputs = "f16:1x2x6x9 =f16:5x2x1x3 =f16:5"},
        {CONV_F16, .inputs = "f16:2x1x3x4x5 =f16:4x1x1x1x2", .attrs = "pads=0,1,0,0,0,1"},
        {CONV_F16, .inputs = "f16:1x32x6x6 =f16:48x8x3x3 =f16:48", .attrs = "group=4 pads=1,1,1,1"},
        {CONV_F16, .inputs = "f16:1x12x6x6 =f16:12x3x3x3", .attrs = "group=4 pads=1,1,1,1"},
        {CONV_F16, .inputs = "f16:1x22x6x6 =f16:66x11x3x3", .attrs = "group=2"},
        {CONV_F16, .inputs = "f16:1x10x37 =f16:20x10x5 =f16:20", .attrs = "pads=2,2"},
        {CONV_F16, .inputs = "f16:1x8x4x5x6 =f16:9x8x2x3x3 =f16:9", .attrs = "pads=0,1,1,1,1,1"},
        {CONV_F16, .inputs = "f16:1x8x7x7 =f16:8x8x7x7"},
        {CONV_F16, .inputs = "f16:1x40x4x4 =f16:100x40x3x3", .attrs = "pads=1,1,1,1"},
        {CONV_F16, .inputs = "f16:1x64x12x12 =f16:400x64x3x3", .attrs = "pads=1,1,1,1"},
    };
    KERNEL_CASES_RUN(cases);
}

static void fused_conv_f16__matches_reference_for_every_epilogue(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {FUSED_F16, .inputs = "f16:1x16x7x7 =f16:33x16x1x1 =f32:33", .attrs = "act=relu"},
        {CUT_F16, .inputs = "f16:1x16x7x7 =f16:64x16x1x1 =f32:64", .attrs = "act=clip act_alpha=-0.25 act_beta=0.5"},
        {FUSED_F16, .inputs = "f16:1x16x7x7 =f16:20x16x3x3 =f32:20", .attrs = "act=leaky_relu act_alpha=0.1"},
        {CUT_F16, .inputs = "f16:1x16x7x7 =f16:32x16x3x3 -", .attrs = "act=hard_sigmoid act_alpha=0.2 act_beta=0.5"},
        {FUSED_F16, .inputs = "f16:1x16x7x7 =f16:70x16x1x1 =f32:70 f16:1x70x7x7", .attrs = "act=relu"},
        {FUSED_F16, .inputs = "f16:1x16x7x7 =f16:64x16x1x1 =f32:64 f16:1x64x7x7"},
        {FUSED_F16, .inputs = "f16:2x16x5x5 =f16:48x16x1x1 - f16:2x48x5x5", .attrs = "act=relu act_first=1 r_mult=0.5"},
        {FUSED_F16, .inputs = "f16:2x16x5x5 =f16:48x16x1x1 - f16:2x48x5x5", .attrs = "act=relu r_mult=0.5"},
        {FUSED_F16, .inputs = "f16:1x3x9x9 =f16:16x3x3x3 =f32:16",
         .attrs = "act=clip act_alpha=0 act_beta=6 strides=2,2"},
    };
    KERNEL_CASES_RUN(cases);
}

#define DEPTHWISE .domain = "", .op = "Conv", CLOSE, .tactics = "conv_bf16_depthwise"
#define FUSED_DEPTHWISE .domain = "ferry", .op = "FusedConv", CLOSE, .tactics = "conv_bf16_depthwise"
static void depthwise_bf16__matches_reference_at_every_border(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {DEPTHWISE, .inputs = "bf16:1x16x7x7 =bf16:16x1x3x3 =bf16:16", .attrs = "group=16 pads=1,1,1,1"},
        {DEPTHWISE, .inputs = "bf16:2x33x9x10 =bf16:33x1x3x3", .attrs = "group=33 pads=1,1,1,1 strides=2,2"},
        {DEPTHWISE, .inputs = "bf16:1x50x12x25 =bf16:50x1x5x5 =bf16:50", .attrs = "group=50 pads=2,2,2,2"},
        {DEPTHWISE, .inputs = "bf16:1x5x3x3 =bf16:5x1x5x5 =bf16:5", .attrs = "group=5 pads=2,2,2,2"},
        {DEPTHWISE, .inputs = "bf16:1x64x11x13 =bf16:64x1x3x3", .attrs = "group=64 pads=4,4,4,4 dilations=4,4"},
        {DEPTHWISE, .inputs = "bf16:1x20x9x9 =bf16:20x1x3x3", .attrs = "group=20 auto_pad=SAME_UPPER strides=2,2"},
        {DEPTHWISE, .inputs = "bf16:1x7x30 =bf16:7x1x5 =bf16:7", .attrs = "group=7 pads=0,3"},
        {DEPTHWISE, .inputs = "bf16:1x18x4x5x6 =bf16:18x1x3x3x3", .attrs = "group=18 pads=1,1,1,1,1,1"},
        {DEPTHWISE, .inputs = "bf16:1x40x7x7 =bf16:40x1x7x7", .attrs = "group=40"},
        {FUSED_DEPTHWISE, .inputs = "bf16:1x32x7x7 =bf16:32x1x3x3 =f32:32",
         .attrs = "group=32 pads=1,1,1,1 act=clip act_alpha=0 act_beta=1"},
        {FUSED_DEPTHWISE, .inputs = "bf16:1x35x8x7 =bf16:35x1x3x3 =f32:35 bf16:1x35x8x7",
         .attrs = "group=35 pads=1,1,1,1 act=leaky_relu act_alpha=0.1"},
        {FUSED_DEPTHWISE, .inputs = "bf16:1x16x7x7 =bf16:16x1x3x3 =f32:16",
         .attrs = "group=16 pads=1,1,1,1 act=hard_sigmoid act_alpha=0.2 act_beta=0.5"},
    };
    KERNEL_CASES_RUN(cases);
}

#undef DEPTHWISE
#undef FUSED_DEPTHWISE
#define PAIRS                                                                                                          \
    .of_largest = 4e-6, .of_each = 0x1p-7, .lacks = LACKS " avx512 avx512vnni avx512vbmi",                             \
    .tactics = "conv_bf16_depthwise_pairs"
#define DEPTHWISE .domain = "", .op = "Conv", PAIRS
#define FUSED_DEPTHWISE .domain = "ferry", .op = "FusedConv", PAIRS
static void depthwise_by_pairs_of_lines__matches_reference(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {DEPTHWISE, .inputs = "bf16:1x16x7x7 =bf16:16x1x3x3 =bf16:16", .attrs = "group=16 pads=1,1,1,1"},
        {DEPTHWISE, .inputs = "bf16:2x33x9x10 =bf16:33x1x3x3", .attrs = "group=33 pads=1,1,1,1 strides=2,2"},
        {DEPTHWISE, .inputs = "bf16:1x50x12x25 =bf16:50x1x5x5 =bf16:50", .attrs = "group=50 pads=2,2,2,2"},
        {DEPTHWISE, .inputs = "bf16:3x64x14x14 =bf16:64x1x5x5 =bf16:64", .attrs = "group=64 pads=2,2,2,2 strides=2,2"},
        {DEPTHWISE, .inputs = "bf16:1x5x3x3 =bf16:5x1x5x5 =bf16:5", .attrs = "group=5 pads=2,2,2,2"},
        {DEPTHWISE, .inputs = "bf16:1x5x3x3 =bf16:5x1x3x3 =bf16:5", .attrs = "group=5 pads=3,4,3,4"},
        {DEPTHWISE, .inputs = "bf16:1x20x9x9 =bf16:20x1x3x3", .attrs = "group=20 auto_pad=SAME_UPPER strides=2,2"},
        {DEPTHWISE, .inputs = "bf16:1x40x7x7 =bf16:40x1x7x7", .attrs = "group=40"},
        {DEPTHWISE, .inputs = "bf16:1x40x11x9 =bf16:40x1x7x7 =bf16:40", .attrs = "group=40 pads=3,3,3,3"},
        {DEPTHWISE, .inputs = "bf16:1x9x10x11 =bf16:9x1x2x4", .attrs = "group=9 pads=0,1,1,2 strides=3,1"},
        {DEPTHWISE, .inputs = "bf16:2x9x13x11 =bf16:9x1x1x1 =bf16:9", .attrs = "group=9 strides=3,2"},
        {DEPTHWISE, .inputs = "bf16:1x8x5x700 =bf16:8x1x3x3 =bf16:8", .attrs = "group=8 pads=1,1,1,1"},
        {DEPTHWISE, .inputs = "bf16:1x32x40x6 =bf16:32x1x3x3 =bf16:32", .attrs = "group=32 pads=1,1,1,1"},
        {FUSED_DEPTHWISE, .inputs = "bf16:1x32x7x7 =bf16:32x1x3x3 =f32:32",
         .attrs = "group=32 pads=1,1,1,1 act=clip act_alpha=0 act_beta=1"},
        {FUSED_DEPTHWISE, .inputs = "bf16:1x35x8x7 =bf16:35x1x3x3 =f32:35",
         .attrs = "group=35 pads=1,1,1,1 act=leaky_relu act_alpha=0.1"},
        {FUSED_DEPTHWISE, .inputs = "bf16:1x16x7x7 =bf16:16x1x3x3 =f32:16",
         .attrs = "group=16 pads=1,1,1,1 act=hard_sigmoid act_alpha=0.2 act_beta=0.5"},
    };
    KERNEL_CASES_RUN(cases);
}

#define DEPTHWISE_F16 .domain = "", .op = "Conv", OF_F16, .tactics = "conv_f16_depthwise"
#define FUSED_DEPTHWISE_F16 .domain = "ferry", .op = "FusedConv", OF_F16, .tactics = "conv_f16_depthwise"
static void depthwise_f16__matches_reference_at_every_border(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {DEPTHWISE_F16, .inputs = "f16:1x16x7x7 =f16:16x1x3x3 =f16:16", .attrs = "group=16 pads=1,1,1,1"},
        {DEPTHWISE_F16, .inputs = "f16:2x33x9x10 =f16:33x1x3x3", .attrs = "group=33 pads=1,1,1,1 strides=2,2"},
        {DEPTHWISE_F16, .inputs = "f16:1x50x12x25 =f16:50x1x5x5 =f16:50", .attrs = "group=50 pads=2,2,2,2"},
        {DEPTHWISE_F16, .inputs = "f16:1x5x3x3 =f16:5x1x5x5 =f16:5", .attrs = "group=5 pads=2,2,2,2"},
        {DEPTHWISE_F16, .inputs = "f16:1x64x11x13 =f16:64x1x3x3", .attrs = "group=64 pads=4,4,4,4 dilations=4,4"},
        {DEPTHWISE_F16, .inputs = "f16:1x20x9x9 =f16:20x1x3x3", .attrs = "group=20 auto_pad=SAME_UPPER strides=2,2"},
        {DEPTHWISE_F16, .inputs = "f16:1x7x30 =f16:7x1x5 =f16:7", .attrs = "group=7 pads=0,3"},
        {DEPTHWISE_F16, .inputs = "f16:1x18x4x5x6 =f16:18x1x3x3x3", .attrs = "group=18 pads=1,1,1,1,1,1"},
        {DEPTHWISE_F16, .inputs = "f16:1x40x7x7 =f16:40x1x7x7", .attrs = "group=40"},
        {FUSED_DEPTHWISE_F16, .inputs = "f16:1x32x7x7 =f16:32x1x3x3 =f32:32",
         .attrs = "group=32 pads=1,1,1,1 act=clip act_alpha=0 act_beta=1"},
        {FUSED_DEPTHWISE_F16, .inputs = "f16:1x35x8x7 =f16:35x1x3x3 =f32:35 f16:1x35x8x7",
         .attrs = "group=35 pads=1,1,1,1 act=leaky_relu act_alpha=0.1"},
        {FUSED_DEPTHWISE_F16, .inputs = "f16:1x16x7x7 =f16:16x1x3x3 =f32:16",
         .attrs = "group=16 pads=1,1,1,1 act=hard_sigmoid act_alpha=0.2 act_beta=0.5"},
    };
    KERNEL_CASES_RUN(cases);
}

// The reference rounds what lies between to bf16, too.
#define ROUGH .of_largest = 0x1p-7, .of_each = 0x1p-6, .lacks = LACKS
static void tails_of_bf16__match_reference(void **unused)
{
    (void)unused;
#define TAIL .domain = "", .op = "Conv", ROUGH, .tactics = "conv_bf16_gemm"
#define TAIL_DEPTHWISE .domain = "", .op = "Conv", ROUGH, .tactics = "conv_bf16_depthwise"
    static const kernel_case cases[] = {
        {TAIL, .inputs = "bf16:1x16x7x7 =bf16:33x16x1x1 =bf16:33", .then = "ferry:Silu"},
        {TAIL, .inputs = "bf16:2x17x5x3 =bf16:64x17x3x3", .then = "HardSwish"},
        {TAIL, .inputs = "bf16:1x3x9x9 =bf16:16x3x3x3 =bf16:16", .attrs = "strides=2,2", .then = "Mish"},
        {TAIL, .inputs = "bf16:1x16x7x7 =bf16:33x16x1x1 =bf16:33", .then = "ferry:Silu", .plus = "bf16:1x33x7x7"},
        {TAIL, .inputs = "bf16:1x16x7x7 =bf16:33x16x1x1 =bf16:33",
         .then = "HardSwish; Mul =bf16:1[0.75]; Add =bf16:1[0.5]"},
        {TAIL_DEPTHWISE, .inputs = "bf16:1x40x7x7 =bf16:40x1x3x3 =bf16:40", .attrs = "group=40 pads=1,1,1,1",
         .then = "HardSwish; Mul =bf16:1[0.75]; Add =bf16:1[0.5]"},
        {.domain = "",
         .op = "Cast",
         ROUGH,
         .tactics = "conv_bf16_planes",
         .inputs = "f32:1x3x9x9",
         .attrs = "to=16",
         .then = "Conv =bf16:16x3x3x3 =bf16:16 strides=2,2; ferry:Silu"},
        {TAIL_DEPTHWISE, .inputs = "bf16:1x40x7x7 =bf16:40x1x3x3 =bf16:40", .attrs = "group=40 pads=1,1,1,1",
         .then = "ferry:Silu"},
        {.domain = "",
         .op = "Conv",
         .of_largest = 0x1p-7,
         .of_each = 0x1p-6,
         .lacks = LACKS " avx512 avx512vnni avx512vbmi",
         .tactics = "conv_bf16_depthwise_pairs",
         .inputs = "bf16:1x40x7x7 =bf16:40x1x3x3 =bf16:40",
         .attrs = "group=40 pads=1,1,1,1",
         .then = "ferry:Silu"},
        {.domain = "ferry",
         .op = "FusedConv",
         ROUGH,
         .tactics = "conv_bf16_gemm",
         .inputs = "bf16:1x16x7x7 =bf16:40x16x1x1 =f32:40 bf16:1x40x7x7",
         .then = "HardSwish"},
    };
    KERNEL_CASES_RUN(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv_bf16__matches_reference_for_every_geometry),
        cmocka_unit_test(fused_conv_bf16__matches_reference_for_every_epilogue),
        cmocka_unit_test(conv_bf16_of_planes__matches_reference),
        cmocka_unit_test(conv_f16__matches_reference_for_every_geometry),
        cmocka_unit_test(fused_conv_f16__matches_reference_for_every_epilogue),
        cmocka_unit_test(depthwise_bf16__matches_reference_at_every_border),
        cmocka_unit_test(depthwise_by_pairs_of_lines__matches_reference),
        cmocka_unit_test(depthwise_f16__matches_reference_at_every_border),
        cmocka_unit_test(tails_of_bf16__match_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
