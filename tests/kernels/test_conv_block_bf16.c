// SPDX-License-Identifier: Apache-2.0
// Pointwise and depthwise convolutions of bf16 run as one region, against the reference kernels one after another.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/kernel_case.h"

#define FUSED .domain = "ferry", .op = "FusedConv"
#define CONV .domain = "", .op = "Conv"
// What lies between is rounded to bf16 here and there, but sums may fall to either side of a middle.
#define BLOCK                                                                                                          \
    .of_each = 0x1p-6, .of_largest = 0x1p-8, .tactics = "conv_block_bf16",                                             \
    .lacks = "avx2 avx512 avx512vnni avx512vbmi neon neonfp16 neondot neoni8mm"

static void conv_block_bf16__matches_both_convolutions(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {FUSED, .inputs = "bf16:1x16x14x14 =bf16:64x16x1x1 =f32:64", .attrs = "act=relu",
         .then = "ferry:FusedConv =bf16:64x1x3x3 =f32:64 group=64 pads=1,1,1,1 act=relu", BLOCK},
        {FUSED, .inputs = "bf16:1x24x20x21 =bf16:97x24x1x1 =f32:97", .attrs = "act=clip act_alpha=0 act_beta=6",
         .then = "ferry:FusedConv =bf16:97x1x3x3 =f32:97 group=97 pads=1,1,1,1 act=clip act_alpha=0 act_beta=6", BLOCK},
        // Several blocks of columns, several pictures, strides, panels that are not full.
        {FUSED, .inputs = "bf16:2x9x21x230 =bf16:40x9x1x1 =f32:40", .attrs = "act=relu",
         .then = "ferry:FusedConv =bf16:40x1x3x3 =f32:40 group=40 strides=2,2 pads=1,1,1,1", BLOCK},
        {CONV, .inputs = "bf16:2x5x40x41 =bf16:45x5x1x1 =bf16:45",
         .then = "ferry:Silu; Conv =bf16:45x1x5x5 =bf16:45 group=45 strides=2,2 pads=2,2,2,2; ferry:Silu", BLOCK},
        {CONV, .inputs = "bf16:1x12x9x70 =bf16:36x12x1x1 =bf16:36",
         .then = "HardSwish; Conv =bf16:36x1x5x5 =bf16:36 group=36 pads=2,2,2,2; HardSwish", BLOCK},
        // Windows that lie beside the picture, and even ones.
        {CONV, .inputs = "bf16:1x4x5x4 =bf16:16x4x1x1", .then = "Conv =bf16:16x1x3x3 group=16 pads=4,4,4,4", BLOCK},
        {CONV, .inputs = "bf16:1x4x9x11 =bf16:16x4x1x1", .then = "Conv =bf16:16x1x2x7 group=16 pads=1,3,1,3", BLOCK},
        {CONV, .inputs = "bf16:3x8x2x2 =bf16:33x8x1x1", .then = "Conv =bf16:33x1x5x5 group=33 pads=2,2,2,2", BLOCK},
    };
    KERNEL_CASES_RUN(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv_block_bf16__matches_both_convolutions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
