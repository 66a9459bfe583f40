// SPDX-License-Identifier: Apache-2.0
// Convolutions in float against the reference: windows, pads, groups, tails of rows and columns, every epilogue.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/kernel_case.h"

// Sums of at most some thousand products of numbers up to 1.
#define CLOSE .of_largest = 2e-6
#define CONV .domain = "", .op = "Conv", CLOSE
#define FUSED .domain = "ferry", .op = "FusedConv", CLOSE

static void conv_f32__matches_reference_for_every_geometry(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {CONV, .inputs = "f32:1x16x7x7 =f32:32x16x1x1 =f32:32"},
        {CONV, .inputs = "f32:2x17x5x3 =f32:19x17x1x1"},
        {CONV, .inputs = "f32:1x8x1x1 =f32:1x8x1x1"},
        {CONV, .inputs = "f32:1x24x6x6 =f32:40x24x1x1", .attrs = "strides=2,2"},
        {CONV, .inputs = "f32:1x9x9x11 =f32:33x9x3x3 =f32:33", .attrs = "pads=1,1,1,1"},
        {CONV, .inputs = "f32:2x12x9x8 =f32:7x12x3x2 =f32:7", .attrs = "pads=0,1,2,1 strides=2,1"},
        {CONV, .inputs = "f32:1x8x13x13 =f32:16x8x3x3", .attrs = "pads=2,2,2,2 dilations=2,2"},
        {CONV, .inputs = "f32:1x8x12x12 =f32:16x8x5x5", .attrs = "auto_pad=SAME_UPPER strides=2,2"},
        {CONV, .inputs = "f32:1x3x20x21 =f32:24x3x3x3 =f32:24", .attrs = "pads=1,1,1,1 strides=2,2"},
        {CONV, .inputs = "f32:2x3x15x17 =f32:33x3x7x7", .attrs = "pads=3,3,3,3 strides=2,2"},
        {CONV, .inputs = "f32:1x3x40x56 =f32:20x3x16x16 =f32:20",
         .attrs = "strides=16,16"}, // more taps than rows' buffers
        {CONV, .inputs = "f32:1x1x9x9 =f32:5x1x3x3"},
        {CONV, .inputs = "f32:2x3x17 =f32:3x3x2 =f32:3"},
        {CONV, .inputs = "f32:1x2x6x9 =f32:5x2x1x3 =f32:5"},
        {CONV, .inputs = "f32:2x1x3x4x5 =f32:4x1x1x1x2", .attrs = "pads=0,1,0,0,0,1"},
        {CONV, .inputs = "f32:1x32x6x6 =f32:48x8x3x3 =f32:48", .attrs = "group=4 pads=1,1,1,1"},
        {CONV, .inputs = "f32:1x12x6x6 =f32:12x3x3x3", .attrs = "group=4 pads=1,1,1,1"},
        {CONV, .inputs = "f32:1x10x37 =f32:20x10x5 =f32:20", .attrs = "pads=2,2"},
        {CONV, .inputs = "f32:1x8x4x5x6 =f32:9x8x2x3x3 =f32:9", .attrs = "pads=0,1,1,1,1,1"},
        {CONV, .inputs = "f32:1x8x7x7 =f32:8x8x7x7"},
        {CONV, .inputs = "f32:1x40x4x4 =f32:100x40x3x3", .attrs = "pads=1,1,1,1"},
    };
    KERNEL_CASES_RUN(cases);
}

#define DEPTHWISE .domain = "", .op = "Conv", CLOSE, .tactics = "conv_f32_depthwise"
#define FUSED_DEPTHWISE .domain = "ferry", .op = "FusedConv", CLOSE, .tactics = "conv_f32_depthwise"
static void depthwise_f32__matches_reference_at_every_border(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {DEPTHWISE, .inputs = "f32:1x16x7x7 =f32:16x1x3x3 =f32:16", .attrs = "group=16 pads=1,1,1,1"},
        {DEPTHWISE, .inputs = "f32:2x33x9x10 =f32:33x1x3x3", .attrs = "group=33 pads=1,1,1,1 strides=2,2"},
        {DEPTHWISE, .inputs = "f32:1x50x12x25 =f32:50x1x5x5 =f32:50", .attrs = "group=50 pads=2,2,2,2"},
        {DEPTHWISE, .inputs = "f32:1x5x3x3 =f32:5x1x5x5 =f32:5", .attrs = "group=5 pads=2,2,2,2"},
        {DEPTHWISE, .inputs = "f32:1x64x11x13 =f32:64x1x3x3", .attrs = "group=64 pads=4,4,4,4 dilations=4,4"},
        {DEPTHWISE, .inputs = "f32:1x20x9x9 =f32:20x1x3x3", .attrs = "group=20 auto_pad=SAME_UPPER strides=2,2"},
        {DEPTHWISE, .inputs = "f32:1x7x30 =f32:7x1x5 =f32:7", .attrs = "group=7 pads=0,3"},
        {DEPTHWISE, .inputs = "f32:1x18x4x5x6 =f32:18x1x3x3x3", .attrs = "group=18 pads=1,1,1,1,1,1"},
        {DEPTHWISE, .inputs = "f32:1x40x7x7 =f32:40x1x7x7", .attrs = "group=40"},
        {FUSED_DEPTHWISE, .inputs = "f32:1x32x7x7 =f32:32x1x3x3 =f32:32",
         .attrs = "group=32 pads=1,1,1,1 act=clip act_alpha=0 act_beta=1"},
        {FUSED_DEPTHWISE, .inputs = "f32:1x35x8x7 =f32:35x1x3x3 =f32:35 f32:1x35x8x7",
         .attrs = "group=35 pads=1,1,1,1 act=leaky_relu act_alpha=0.1"},
        {FUSED_DEPTHWISE, .inputs = "f16:1x16x7x7 =f16:16x1x3x3 =f16:16", .of_each = 1e-3,
         .leave = "conv_f16_depthwise", .attrs = "group=16 pads=1,1,1,1 act=hard_sigmoid act_alpha=0.2 act_beta=0.5"},
    };
    KERNEL_CASES_RUN(cases);
}

static void fused_conv_f32__matches_reference_for_every_epilogue(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {FUSED, .inputs = "f32:1x16x7x7 =f32:33x16x1x1 =f32:33", .attrs = "act=relu"},
        {FUSED, .inputs = "f32:1x16x7x7 =f32:32x16x1x1 =f32:32", .attrs = "act=clip act_alpha=-0.25 act_beta=0.5"},
        {FUSED, .inputs = "f32:1x16x7x7 =f32:20x16x3x3 =f32:20", .attrs = "act=leaky_relu act_alpha=0.1"},
        {FUSED, .inputs = "f32:1x16x7x7 =f32:32x16x3x3 -", .attrs = "act=hard_sigmoid act_alpha=0.2 act_beta=0.5"},
        {FUSED, .inputs = "f32:1x16x7x7 =f32:33x16x1x1 =f32:33 f32:1x33x7x7", .attrs = "act=relu"},
        {FUSED, .inputs = "f32:2x16x5x5 =f32:48x16x1x1 - f32:2x48x5x5", .attrs = "act=relu act_first=1 r_mult=0.5"},
        {FUSED, .inputs = "f32:1x3x9x9 =f32:16x3x3x3 =f32:16", .attrs = "act=clip act_alpha=0 act_beta=6 strides=2,2"},
        {FUSED, .inputs = "f16:1x16x7x7 =f16:33x16x1x1 =f16:33", .of_each = 1e-3, .leave = "conv_f16_gemm",
         .attrs = "act=relu"},
        {FUSED, .inputs = "bf16:1x16x7x7 =bf16:33x16x3x3 =bf16:33 bf16:1x33x5x5", .of_each = 8e-3},
    };
    KERNEL_CASES_RUN(cases);
}

// Regions of two and three nodes: an activation that is no epilogue, and a residual behind it.
static void conv_f32__takes_activations_into_its_store(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {CONV, .inputs = "f32:1x16x7x7 =f32:33x16x1x1 =f32:33", .then = "ferry:Silu"},
        {CONV, .inputs = "f32:2x17x5x3 =f32:64x17x3x3", .then = "HardSwish"},
        {CONV, .inputs = "f32:1x24x6x6 =f32:32x24x1x1", .attrs = "strides=2,2", .then = "Gelu"},
        {CONV, .inputs = "f32:1x3x9x9 =f32:16x3x3x3 =f32:16", .attrs = "strides=2,2", .then = "Mish"},
        {CONV, .inputs = "f32:1x32x6x6 =f32:48x8x3x3 =f32:48", .attrs = "group=4", .then = "Elu alpha=0.5"},
        {CONV, .inputs = "f32:1x16x7x7 =f32:33x16x1x1 =f32:33", .then = "ferry:Silu", .plus = "f32:1x33x7x7"},
        {CONV, .inputs = "f32:2x16x5x5 =f32:32x16x3x3", .then = "Sigmoid", .plus = "f32:2x32x3x3"},
        {FUSED, .inputs = "f32:1x16x7x7 =f32:40x16x1x1 =f32:40", .then = "Tanh"},
        {FUSED, .inputs = "f32:1x16x7x7 =f32:40x16x1x1 =f32:40 f32:1x40x7x7", .then = "HardSwish"},
        {FUSED, .inputs = "f32:1x16x7x7 =f32:33x16x1x1 -", .then = "LeakyRelu alpha=0.2", .plus = "f32:1x33x7x7"},
        {.domain = "ferry",
         .op = "FusedConv",
         .inputs = "bf16:1x16x7x7 =bf16:33x16x3x3 =bf16:33",
         .then = "ferry:Silu",
         .plus = "bf16:1x33x5x5",
         .of_each = 1e-2,
         .of_largest = 8e-3},
        {CONV, .inputs = "f32:1x16x7x7 =f32:33x16x1x1 =f32:33", .then = "HardSwish; Mul =f32:1[0.8]; Add =f32:1[0.1]"},
        {FUSED, .inputs = "f32:1x16x7x7 =f32:33x16x3x3 =f32:33", .attrs = "act=relu",
         .then = "Add =f32:1[-0.1]; Div =f32:[0.4]; Sub =f32:@1; Mul =f32:1x1x1x1[3]"},
        {FUSED, .inputs = "f32:1x16x7x7 =f32:40x16x1x1 =f32:40 f32:1x40x7x7", .then = "Mul =f32:1[0.5]"},
        {FUSED, .inputs = "f32:1x16x7x7 =f32:40x16x1x1 =f32:40", .attrs = "act=leaky_relu act_alpha=0.1",
         .then = "Sub =f32:1[0.5]"},
        {FUSED, .inputs = "f32:1x16x7x7 =f32:40x16x1x1 =f32:40", .attrs = "act=hard_sigmoid act_alpha=0.2 act_beta=0.5",
         .then = "Mul =f32:1[2]"},
        {FUSED_DEPTHWISE, .inputs = "f32:1x35x8x7 =f32:35x1x3x3 =f32:35 f32:1x35x8x7",
         .attrs = "group=35 pads=1,1,1,1 act=clip act_alpha=-1 act_beta=1", .then = "Mul =f32:1[2]; Add =f32:1[1]"},
        {DEPTHWISE, .inputs = "f32:1x50x12x25 =f32:50x1x5x5 =f32:50", .attrs = "group=50 pads=2,2,2,2",
         .then = "HardSwish; Mul =f32:1[0.8]; Add =f32:1[0.1]"},
        {DEPTHWISE, .inputs = "f32:1x50x12x25 =f32:50x1x5x5 =f32:50", .attrs = "group=50 pads=2,2,2,2",
         .then = "ferry:Silu"},
        {DEPTHWISE, .inputs = "f32:2x33x9x10 =f32:33x1x3x3", .attrs = "group=33 strides=2,2", .then = "HardSwish"},
        {FUSED_DEPTHWISE, .inputs = "f32:1x35x8x7 =f32:35x1x3x3 =f32:35 f32:1x35x8x7",
         .attrs = "group=35 pads=1,1,1,1 r_mult=0.5", .then = "HardSigmoid alpha=0.3"},
    };
    KERNEL_CASES_RUN(cases);
}

static void conv_f32__reads_planes_of_few_channels(void **unused)
{
    (void)unused;
#define PLANES .domain = "ferry", .op = "FusedConv", .of_each = 2e-5, .of_largest = 2e-6, .tactics = "conv_f32_planes"
    static const kernel_case cases[] = {
        {PLANES, .inputs = "f32:1x3x21x23 =f32:40x3x3x3 =f32:40", .attrs = "strides=2,2 pads=0,0,1,1 act=relu"},
        {PLANES, .inputs = "f32:2x1x9x9 =f32:8x1x5x5 -", .attrs = "pads=2,2,2,2"},
        {PLANES, .inputs = "f32:1x4x8x230 =f32:33x4x7x7 =f32:33", .attrs = "strides=2,2 pads=3,3,3,3"},
        {PLANES, .inputs = "f32:1x7x5x4 =f32:16x7x1x1 =f32:16", .attrs = "act=clip act_alpha=-0.1 act_beta=0.1"},
        // Padding wider than the picture, strides wider than the window, an output of one line.
        {PLANES, .inputs = "f32:1x2x3x2 =f32:17x2x3x3 =f32:17", .attrs = "pads=5,6,5,6"},
        {PLANES, .inputs = "f32:1x3x30x31 =f32:16x3x2x2 =f32:16", .attrs = "strides=7,5"},
        {PLANES, .inputs = "f32:1x3x3x400 =f32:16x3x3x3 =f32:16", .attrs = "act=leaky_relu act_alpha=0.1"},
        {PLANES, .inputs = "f32:1x3x17x19 =f32:24x3x3x3 =f32:24", .attrs = "strides=2,2", .then = "HardSwish"},
    };
    KERNEL_CASES_RUN(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv_f32__matches_reference_for_every_geometry),
        cmocka_unit_test(depthwise_f32__matches_reference_at_every_border),
        cmocka_unit_test(fused_conv_f32__matches_reference_for_every_epilogue),
        cmocka_unit_test(conv_f32__takes_activations_into_its_store),
        cmocka_unit_test(conv_f32__reads_planes_of_few_channels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
