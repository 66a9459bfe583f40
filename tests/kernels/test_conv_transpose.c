// SPDX-License-Identifier: Apache-2.0
// Transposed convolutions in f32 and bf16 against the reference: windows smaller and larger than the stride, pads that
// cut, dilations that share a factor with the stride and those that don't, groups, and every way to state the output's
// size.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/kernel_case.h"

#define TRANSPOSED .domain = "", .op = "ConvTranspose", .tactics = "conv_transpose_f32_phases", .of_largest = 2e-6

static void conv_transpose_f32__matches_reference_for_every_geometry(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {TRANSPOSED, .inputs = "f32:1x24x7x9 =f32:24x24x2x2 =f32:24", .attrs = "strides=2,2"},
        {TRANSPOSED, .inputs = "f32:2x24x5x13 =f32:24x1x2x2 =f32:1", .attrs = "strides=2,2"},
        {TRANSPOSED, .inputs = "f32:1x9x3x101 =f32:9x3x2x2 =f32:3", .attrs = "strides=2,2"}, // few channels
        {TRANSPOSED, .inputs = "f32:2x5x3x4x5 =f32:5x1x2x4x3 =f32:1", .attrs = "strides=2,4,3"},
        {TRANSPOSED, .inputs = "f32:1x17x6x5 =f32:17x33x3x3", .attrs = "strides=3,3"},
        {TRANSPOSED, .inputs = "f32:1x9x5x6 =f32:9x19x3x3 =f32:19"},
        {TRANSPOSED, .inputs = "f32:1x8x5x6 =f32:8x7x4x4 =f32:7", .attrs = "strides=2,2 pads=1,1,1,1"},
        {TRANSPOSED, .inputs = "f32:1x8x5x6 =f32:8x7x3x3", .attrs = "strides=2,2 pads=1,1,1,1 output_padding=1,1"},
        {TRANSPOSED, .inputs = "f32:2x5x4x6 =f32:5x6x5x4", .attrs = "strides=3,2 pads=2,0,1,3"},
        {TRANSPOSED, .inputs = "f32:1x4x3x4 =f32:4x3x2x2 =f32:3", .attrs = "strides=3,4"}, // outputs without a tap
        {TRANSPOSED, .inputs = "f32:1x4x3x4 =f32:4x3x1x2 =f32:3", .attrs = "strides=2,2 output_padding=1,1"},
        {TRANSPOSED, .inputs = "f32:1x6x6x5 =f32:6x9x3x3", .attrs = "strides=2,3 dilations=2,2"},
        {TRANSPOSED, .inputs = "f32:1x6x6x5 =f32:6x9x3x4", .attrs = "strides=4,2 dilations=2,3 pads=1,2,0,4"},
        {TRANSPOSED, .inputs = "f32:1x6x6x5 =f32:6x9x3x3", .attrs = "strides=2,2 auto_pad=SAME_UPPER"},
        {TRANSPOSED, .inputs = "f32:1x6x6x5 =f32:6x9x2x2", .attrs = "strides=2,2 auto_pad=SAME_LOWER"},
        {TRANSPOSED, .inputs = "f32:1x6x6x5 =f32:6x9x2x2", .attrs = "strides=2,2 auto_pad=VALID"},
        {TRANSPOSED, .inputs = "f32:1x6x6x5 =f32:6x9x4x4", .attrs = "strides=2,2 output_shape=13,11"},
        {TRANSPOSED, .inputs = "f32:1x6x6x5 =f32:6x9x2x2", .attrs = "strides=2,2 output_shape=12,9"},
        {TRANSPOSED, .inputs = "f32:1x12x5x7 =f32:12x3x3x3 =f32:12", .attrs = "group=4 strides=2,2 pads=1,1,1,1"},
        {TRANSPOSED, .inputs = "f32:2x12x4x5 =f32:12x1x2x2 =f32:12", .attrs = "group=12 strides=2,2"},
        {TRANSPOSED, .inputs = "f32:1x10x31 =f32:10x20x5 =f32:20", .attrs = "strides=2 pads=2,2"},
        {TRANSPOSED, .inputs = "f32:2x3x230 =f32:3x2x2", .attrs = "strides=2"}, // lines of several blocks
        {TRANSPOSED, .inputs = "f32:1x8x3x4x5 =f32:8x9x2x2x2 =f32:9", .attrs = "strides=2,2,2"},
        {TRANSPOSED, .inputs = "f32:1x5x3x4x5 =f32:5x9x3x3x3", .attrs = "strides=2,1,2 pads=1,1,1,0,1,1"},
        {TRANSPOSED, .inputs = "f16:1x8x5x6 =f16:8x7x4x4 =f16:7", .attrs = "strides=2,2 pads=1,1,1,1", .of_each = 2e-3},
        {TRANSPOSED, .inputs = "f32:1x24x7x9 =f32:24x24x2x2 =f32:24", .attrs = "strides=2,2", .then = "Relu"},
        {TRANSPOSED, .inputs = "f32:2x24x5x13 =f32:24x1x2x2 =f32:1", .attrs = "strides=2,2", .then = "Sigmoid"},
        {TRANSPOSED, .inputs = "f32:1x6x6x5 =f32:6x9x3x3", .attrs = "strides=2,3 dilations=2,2", .then = "ferry:Silu"},
        {TRANSPOSED, .inputs = "f32:1x8x3x230 =f32:8x1x2x3", .attrs = "strides=2,3",
         .then = "HardSwish; Mul =f32:1[0.7]; Add =f32:1[0.2]", .of_each = 2e-6},
        // What is left to the reference: weights made at run time, strides and filters that are too large.
        {TRANSPOSED, .may_lack = 1, .inputs = "f32:1x4x3x4 f32:4x3x2x2"},
        {TRANSPOSED, .may_lack = 1, .inputs = "f32:1x4x3x4 =f32:4x3x2x2", .attrs = "strides=40,40"},
        {TRANSPOSED, .may_lack = 1, .inputs = "f32:1x4x3x4 =f32:4x3x60x40", .attrs = "strides=1,1"},
    };
    KERNEL_CASES_RUN(cases);
}

// Beside the kernels for f32, which take bf16 through conversions.
static void conv_transpose_bf16__matches_reference(void **unused)
{
    (void)unused;
#define TRANSPOSED_BF16                                                                                                \
    .domain = "", .op = "ConvTranspose", .tactics = "conv_transpose_bf16_phases", .of_largest = 0x1p-7,                \
    .of_each = 0x1p-7, .lacks = "avx2 neon neonfp16 neondot neoni8mm"
    static const kernel_case cases[] = {
        {TRANSPOSED_BF16, .inputs = "bf16:1x24x7x9 =bf16:24x24x2x2 =bf16:24", .attrs = "strides=2,2"},
        {TRANSPOSED_BF16, .inputs = "bf16:2x24x5x13 =bf16:24x1x2x2 =bf16:1", .attrs = "strides=2,2"},
        {TRANSPOSED_BF16, .inputs = "bf16:1x9x3x101 =bf16:9x3x2x2 =bf16:3", .attrs = "strides=2,2"},
        {TRANSPOSED_BF16, .inputs = "bf16:1x8x3x230 =bf16:8x1x2x3", .attrs = "strides=2,3"},
        {TRANSPOSED_BF16, .inputs = "bf16:1x17x6x5 =bf16:17x33x3x3", .attrs = "strides=3,3 pads=1,0,0,1"},
        {TRANSPOSED_BF16, .inputs = "bf16:1x4x3x4 =bf16:4x3x2x2 =bf16:3", .attrs = "strides=3,4"},
        {TRANSPOSED_BF16, .inputs = "bf16:1x6x6x5 =bf16:6x9x3x4", .attrs = "strides=4,2 dilations=2,3 pads=1,2,0,4"},
        {TRANSPOSED_BF16, .inputs = "bf16:1x12x5x7 =bf16:12x3x3x3 =bf16:12", .attrs = "group=4 strides=2,2"},
        {TRANSPOSED_BF16, .inputs = "bf16:1x24x7x9 =bf16:24x24x2x2 =bf16:24", .attrs = "strides=2,2", .then = "Relu"},
        {TRANSPOSED_BF16, .inputs = "bf16:2x24x5x13 =bf16:24x1x2x2 =bf16:1", .attrs = "strides=2,2", .then = "Sigmoid"},
        {TRANSPOSED_BF16, .inputs = "bf16:1x6x6x5 =bf16:6x9x3x3", .attrs = "strides=2,3", .then = "HardSwish"},
    };
    KERNEL_CASES_RUN(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv_transpose_f32__matches_reference_for_every_geometry),
        cmocka_unit_test(conv_transpose_bf16__matches_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
