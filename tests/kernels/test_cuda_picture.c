// SPDX-License-Identifier: Apache-2.0
// The CUDA backend's convolution of pictures against the reference kernel: windows, borders, sizes, what follows.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/kernel_case.h"

#define HALVES .of_largest = 1e-3
#define BRAINS .of_largest = 6e-3
#define CONV .domain = "", .op = "Conv", .tactics = "conv_picture"
#define FUSED_CONV .domain = "ferry", .op = "FusedConv", .tactics = "conv_picture"

static void picture__windows(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {CONV, .inputs = "f16:1x3x30x34 =f16:64x3x7x7 =f16:64", .attrs = "pads=3,3,3,3 strides=2,2", HALVES},
        {CONV, .inputs = "f16:3x3x23x25 =f16:32x3x3x3", .attrs = "pads=1,1,1,1 strides=2,2", HALVES},
        {CONV, .inputs = "f16:2x1x17x9 =f16:16x1x5x6", .attrs = "pads=2,1,0,4 strides=2,2", HALVES},
        {CONV, .inputs = "f16:2x4x19x40 =f16:24x4x2x8", .attrs = "strides=2,2", HALVES},
        {CONV, .inputs = "f16:1x2x9x7 =f16:40x2x8x2 =f16:40", .attrs = "pads=4,1,4,1 strides=2,2", HALVES},
        {CONV, .inputs = "f16:2x3x16x16 =f16:32x3x3x3", .attrs = "auto_pad=SAME_UPPER strides=2,2", HALVES},
        {CONV, .inputs = "f16:1x3x7x7 =f16:8x3x7x7", .attrs = "strides=2,2", HALVES}, // one output
        {CONV, .inputs = "bf16:2x3x21x30 =bf16:64x3x7x7 =bf16:64", .attrs = "pads=3,3,3,3 strides=2,2", BRAINS},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

// More columns than a block takes, more channels, more tiles than run at a time.
static void picture__sizes(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {CONV, .inputs = "f16:1x3x9x1031 =f16:16x3x3x3", .attrs = "pads=1,1,1,1 strides=2,2", HALVES},
        {CONV, .inputs = "f16:2x3x15x13 =f16:137x3x3x3 =f16:137", .attrs = "pads=1,1,1,1 strides=2,2", HALVES},
        {CONV, .inputs = "f16:450x3x9x5 =f16:13x3x3x3", .attrs = "pads=1,1,1,1 strides=2,2", HALVES},
        {CONV, .inputs = "f16:1x3x73x225 =f16:32x3x3x3 =f16:32", .attrs = "pads=1,1,1,1 strides=2,2", HALVES},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void picture__with_what_follows(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {FUSED_CONV, .inputs = "f16:2x3x17x19 =f16:64x3x7x7 =f32:64", .attrs = "pads=3,3,3,3 strides=2,2 act=relu",
         HALVES},
        {FUSED_CONV, .inputs = "f16:1x3x17x19 =f16:31x3x3x3 =f32:31",
         .attrs = "pads=1,1,1,1 strides=2,2 act=clip act_alpha=-0.5 act_beta=0.5", HALVES},
        {CONV, .inputs = "f16:2x3x12x20 =f16:32x3x3x3 =f16:32", .attrs = "pads=1,1,1,1 strides=2,2",
         .then = "ferry:Silu", HALVES},
        {CONV, .inputs = "f16:1x3x12x20 =f16:37x3x5x5", .attrs = "pads=2,2,2,2 strides=2,2",
         .then = "Mul =f16:1x37x1x1;HardSwish;Add =f16:1x37x1x1", HALVES},
        {CONV, .inputs = "bf16:1x3x12x20 =bf16:24x3x3x3 =bf16:24", .attrs = "pads=1,1,1,1 strides=2,2", .then = "Relu",
         BRAINS},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

// A picture of floats becomes one of halves on the way.
static void picture__of_floats(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {"", "Cast", "f32:2x3x17x22", "to=10", .then = "Conv =f16:32x3x3x3 =f16:32 pads=1,1,1,1 strides=2,2;Relu",
         .tactics = "conv_picture", HALVES},
        {"", "Cast", "f32:1x3x19x21", "to=16", .then = "Conv =bf16:64x3x7x7 pads=3,3,3,3 strides=2,2",
         .tactics = "conv_picture", BRAINS},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(picture__windows),
        cmocka_unit_test(picture__sizes),
        cmocka_unit_test(picture__with_what_follows),
        cmocka_unit_test(picture__of_floats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
