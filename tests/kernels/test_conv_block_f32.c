// SPDX-License-Identifier: Apache-2.0
// Inverted residual blocks run as one region, against the reference kernels run one after another.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/kernel_case.h"

#define FUSED .domain = "ferry", .op = "FusedConv"
#define CONV .domain = "", .op = "Conv"
#define CLOSE .of_each = 2e-5, .of_largest = 4e-6, .tactics = "conv_block_f32"

static void conv_block_f32__runs_whole_blocks(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {FUSED, .inputs = "f32:1x16x20x21 =f32:96x16x1x1 =f32:96", .attrs = "act=clip act_alpha=0 act_beta=6",
         .then = "ferry:FusedConv =f32:96x1x3x3 =f32:96 group=96 pads=1,1,1,1 act=clip act_alpha=0 act_beta=6;"
                 "ferry:FusedConv =f32:24x96x1x1 =f32:24",
         CLOSE},
        // Strips: more lines than a panel keeps, so that its ring turns; two pictures; strides.
        {FUSED, .inputs = "f32:2x8x61x70 =f32:40x8x1x1 =f32:40", .attrs = "act=relu",
         .then = "ferry:FusedConv =f32:40x1x3x3 =f32:40 group=40 strides=2,2 pads=1,1,1,1 act=relu;"
                 "ferry:FusedConv =f32:33x40x1x1 =f32:33",
         CLOSE},
        {FUSED, .inputs = "f32:1x7x33x90 =f32:50x7x1x1 =f32:50",
         .then = "ferry:FusedConv =f32:50x1x5x5 =f32:50 group=50 pads=2,2,2,2 act=leaky_relu act_alpha=0.1;"
                 "ferry:FusedConv =f32:7x50x1x1 =f32:7 f32:1x7x33x90 r_mult=0.5",
         CLOSE},
        // Filters without constants of their own: dilated, oblong, even, with more padding than reach.
        {CONV, .inputs = "f32:1x4x19x23 =f32:35x4x1x1",
         .then = "Conv =f32:35x1x3x3 group=35 dilations=2,3 pads=2,3,2,3; Conv =f32:9x35x1x1", CLOSE},
        {CONV, .inputs = "f32:1x4x9x11 =f32:16x4x1x1",
         .then = "Conv =f32:16x1x2x7 group=16 pads=1,3,1,3; Conv =f32:9x16x1x1", CLOSE},
        {CONV, .inputs = "f32:1x4x5x4 =f32:16x4x1x1",
         .then = "Conv =f32:16x1x3x3 group=16 pads=4,4,4,4; Conv =f32:9x16x1x1", CLOSE},
        {CONV, .inputs = "f32:1x4x2x2 =f32:16x4x1x1",
         .then = "Conv =f32:16x1x5x5 group=16 pads=2,2,2,2; Conv =f32:9x16x1x1", CLOSE},
        // Activations that go through memory, and one line that is finished in two pieces.
        {CONV, .inputs = "f32:1x12x9x70 =f32:36x12x1x1 =f32:36",
         .then = "ferry:Silu; Conv =f32:36x1x3x3 =f32:36 group=36 pads=1,1,1,1; HardSwish; Conv =f32:12x36x1x1 =f32:12",
         CLOSE},
    };
    KERNEL_CASES_RUN(cases);
}

static void conv_block_f32__runs_two_of_three(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {FUSED, .inputs = "f32:1x16x14x14 =f32:64x16x1x1 =f32:64", .attrs = "act=relu",
         .then = "ferry:FusedConv =f32:64x1x3x3 =f32:64 group=64 pads=1,1,1,1 act=relu", CLOSE},
        {CONV, .inputs = "f32:2x5x40x41 =f32:45x5x1x1 =f32:45",
         .then = "ferry:Silu; Conv =f32:45x1x5x5 =f32:45 group=45 strides=2,2 pads=2,2,2,2; ferry:Silu", CLOSE},
        {FUSED, .inputs = "f32:1x64x14x14 =f32:64x1x3x3 =f32:64", .attrs = "group=64 pads=1,1,1,1 act=relu",
         .then = "ferry:FusedConv =f32:40x64x1x1 =f32:40 f32:1x40x14x14", CLOSE},
        {CONV, .inputs = "f32:2x50x33x20 =f32:50x1x3x3 =f32:50", .attrs = "group=50 strides=2,2 pads=1,1,1,1",
         .then = "HardSwish; Conv =f32:20x50x1x1 =f32:20; Sigmoid", .plus = "f32:2x20x17x10", CLOSE},
    };
    KERNEL_CASES_RUN(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv_block_f32__runs_whole_blocks),
        cmocka_unit_test(conv_block_f32__runs_two_of_three),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
