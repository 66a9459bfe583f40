// SPDX-License-Identifier: Apache-2.0
// The CUDA backend's int8 operators against the reference kernels, to the bit.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/kernel_case.h"

#define OWN(name) .domain = "ferry", .op = (name), .tactics = "integer_"
#define ONNX(name) .domain = "", .op = (name), .tactics = "integer_"

static void sums_and_products(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {OWN("QAdd"), .inputs = "s8:1x24x7x5 s8:1x24x7x5", .attrs = "a_mult=0.7 b_mult=-1.3"},
        {OWN("QAdd"), .inputs = "s8:1x24x7x5 s8:1x24x7x5", .attrs = "a_mult=0.7 b_mult=-1.3 shift=-61.25 act=relu"},
        {OWN("QAdd"), .inputs = "s8:700 s8:1", .attrs = "a_mult=0.5 b_mult=0.5"},
        {OWN("QAdd"), .inputs = "s8:1 s8:700", .attrs = "a_mult=0.5 b_mult=0.3 act=leaky_relu act_alpha=0.1"},
        {OWN("QAdd"), .inputs = "s8:1x300x2x2 *0", .attrs = "a_mult=0.3 b_mult=0.2 to=1"},
        {OWN("QAdd"), .inputs = "s8:4x5 s8:4x5", .attrs = "a_mult=0.3 b_mult=0.2 to=2"},
        {OWN("QAdd"), .inputs = "s8:2x33x3x3 s8:2x33x1x1", .attrs = "a_mult=0.7 b_mult=1.3 act=clip act_beta=60"},
        {OWN("QAdd"), .inputs = "s8:4x50 s8:4x50",
         .attrs = "a_mult=0.3 b_mult=0.2 act=hard_sigmoid act_alpha=0.2 act_beta=60 act_gamma=90"},
        {OWN("QMul"), .inputs = "s8:1x24x7x5 s8:1x24x7x5", .attrs = "mult=0.013 a_zero=-128 b_zero=-111 shift=-128"},
        {OWN("QMul"), .inputs = "s8:2x40x5x5 s8:2x40x1x1", .attrs = "mult=0.01 b_zero=-128 shift=-7"},
        {OWN("QMul"), .inputs = "s8:2x40x1x1 s8:2x40x5x5", .attrs = "mult=0.01 a_zero=-128 shift=-7"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void tables(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {OWN("QTable"), .inputs = "s8:1x24x7x5 =s8:256"},
        {OWN("QTable"), .inputs = "s8:1999 =s8:256"},
        {OWN("QTable"), .inputs = "s8:3x17 =f32:256"},
        {OWN("QTable"), .inputs = "s8:3x17 =f16:256"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void conversions(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {ONNX("QuantizeLinear"), .inputs = "f32:1x24x7x5@3 =f32:[0.02] =s8:[0]"},
        {ONNX("QuantizeLinear"), .inputs = "f32:777@300 =f32:[1] =s8:[-100]"},
        {ONNX("QuantizeLinear"), .inputs = "f16:1x4x3x3@3 =f32:[0.02] =s8:[5]", .may_lack = 1},
        {ONNX("DequantizeLinear"), .inputs = "s8:1x24x7x5 =f32:[0.02] =s8:[-128]"},
        {ONNX("DequantizeLinear"), .inputs = "s8:1x24x7x5 =f32:[0.02]"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

static void resizing(void **state)
{
    (void)state;
    static const kernel_case cases[] = {
        {OWN("QResize"), .inputs = "s8:1x19x9x7 - =s64:4[1,19,33,20]",
         .attrs = "coordinate_transformation_mode=align_corners mult=0.9"},
        {OWN("QResize"), .inputs = "s8:2x48x9x7 =f32:4[1,1,2,2]", .attrs = "mult=1.3 shift=38.5"},
        {OWN("QResize"), .inputs = "s8:2x40x9x7 =f32:4[1,1,2,2]", .attrs = "mult=0.9 shift=-12.75 to=1"},
        {OWN("QResize"), .inputs = "s8:2x8x9x7 =f32:4[1,1,0.6,1.7]",
         .attrs = "coordinate_transformation_mode=asymmetric mult=1 to=2"},
        {OWN("QResize"), .inputs = "s8:1x5x1x1 - =s64:4[1,5,6,7]",
         .attrs = "coordinate_transformation_mode=pytorch_half_pixel mult=1"},
    };
    KERNEL_CASES_RUN_CUDA(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_and_products),
        cmocka_unit_test(tables),
        cmocka_unit_test(conversions),
        cmocka_unit_test(resizing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
