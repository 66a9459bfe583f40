// SPDX-License-Identifier: Apache-2.0
// INT8 loops and the conversions to and from INT8, to the bit.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "backend/cpu/elementwise_s8.h"
#include "backend/cpu/isa.h"
#include "ops/epilogue.h"
#include "support/kernel_case.h"

#define Q(name) .domain = "ferry", .op = name, .tactics = "elementwise_s8"

static void sums_and_products__match_reference_to_the_bit(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {Q("QAdd"), .inputs = "s8:1x24x7x5 s8:1x24x7x5", .attrs = "a_mult=0.7 b_mult=-1.3"},
        {Q("QAdd"), .inputs = "s8:2x33x3x3 s8:1x33x1x1", .attrs = "a_mult=0.7 b_mult=1.3 act=relu"},
        {Q("QAdd"), .inputs = "s8:700 s8:1", .attrs = "a_mult=0.5 b_mult=0.5"},
        {Q("QAdd"), .inputs = "s8:1 s8:700", .attrs = "a_mult=0.5 b_mult=0.5 act=leaky_relu act_alpha=0.1"},
        {Q("QAdd"), .inputs = "s8:2x3x4x5 s8:3x1x5", .attrs = "a_mult=0.3 b_mult=2 act=clip act_alpha=0 act_beta=60"},
        {Q("QAdd"), .inputs = "s8:1x300x2x2 *0", .attrs = "a_mult=0.3 b_mult=0.2 to=1"},
        {Q("QAdd"), .inputs = "s8:4x5 s8:4x5", .attrs = "a_mult=0.3 b_mult=0.2 to=2"},
        {Q("QAdd"), .inputs = "s8:1x24x7x5 s8:1x24x7x5", .attrs = "a_mult=0.7 b_mult=-1.3 shift=-61.25"},
        {Q("QAdd"), .inputs = "s8:2x3x4x5 s8:3x1x5", .attrs = "a_mult=0.3 b_mult=2 shift=100.5 to=1"},
        {Q("QMul"), .inputs = "s8:1x24x7x5 s8:1x24x7x5", .attrs = "mult=0.013"},
        {Q("QMul"), .inputs = "s8:1x24x7x5 s8:1x24x7x5", .attrs = "mult=0.013 a_zero=-128 b_zero=-111 shift=-128"},
        {Q("QMul"), .inputs = "s8:2x40x5x5 s8:2x40x1x1", .attrs = "mult=0.01 b_zero=-128 shift=-7"},
        {Q("QMul"), .inputs = "s8:2x40x5x5 s8:2x40x1x1",
         .attrs = "mult=0.01 a_zero=127 act=clip act_alpha=-3 act_beta=9"},
        {Q("QMul"), .inputs = "s8:2x40x5x5 s8:2x40x1x1", .attrs = "mult=0.01"},
        {Q("QMul"), .inputs = "s8:3x7 s8:7",
         .attrs = "mult=0.02 act=hard_sigmoid act_alpha=0.2 act_beta=30 act_gamma=60"},
        {Q("QMul"), .inputs = "s8:1x3x4x5 s8:1x1x4x5", .attrs = "mult=0.02 to=1"},
    };
    KERNEL_CASES_RUN(cases);
}

static void tables__match_reference(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {Q("QTable"), .inputs = "s8:1x24x7x5 =s8:256"},
        {Q("QTable"), .inputs = "s8:1999 =s8:256"},
        {Q("QTable"), .inputs = "s8:3x17 =f32:256"},
        {Q("QTable"), .inputs = "s8:3x17 =f16:256"},
    };
    KERNEL_CASES_RUN(cases);
}

static void conversions__match_reference_to_the_bit(void **unused)
{
    (void)unused;
#define C(name) .domain = "", .op = name
#define FAST .tactics = "elementwise_s8"
    static const kernel_case cases[] = {
        {C("QuantizeLinear"), FAST, .inputs = "f32:1x24x7x5@3 =f32:[0.02] =s8:[0]"},
        {C("QuantizeLinear"), FAST, .inputs = "f32:777@300 =f32:[1] =s8:[0]"},
        {C("QuantizeLinear"), FAST, .inputs = "f16:1x4x3x3@3 =f32:[0.02] =s8:[0]", .may_lack = 1},
        {C("DequantizeLinear"), FAST, .inputs = "s8:1x24x7x5 =f32:[0.02]"},
        {C("DequantizeLinear"), FAST, .inputs = "s8:777 =f32:[0.3] =s8:[0]"},
        {C("QuantizeLinear"), FAST, .inputs = "f32:1x4x3x3@3 =f32:[0.02] =u8:[7]"},
        {C("QuantizeLinear"), FAST, .inputs = "f32:1x24x7x5@9 =f32:[0.02] =u8:[128]"},
        {C("QuantizeLinear"), FAST, .inputs = "f32:77@900 =f32:[1] =s8:[-100]"},
        {C("QuantizeLinear"), FAST, .inputs = "f32:77@300 =f32:[1]"},
        {C("DequantizeLinear"), FAST, .inputs = "u8:1x24x7x5 =f32:[0.02] =u8:[130]"},
        {C("DequantizeLinear"), FAST, .inputs = "s8:99 =f32:[0.7] =s8:[-7]"},
        {C("DequantizeLinear"), .inputs = "s8:1x4x3x3 =f32:4 =s8:4", .may_lack = 1},
    };
    KERNEL_CASES_RUN(cases);
}

// Halves, the clamp's ends, infinities and NaN, against ferry_sat8.
static void rounding__is_that_of_the_definition(void **unused)
{
    (void)unused;
    enum { N = 2063 };
    float x[N];
    int8_t y[N];
    for (int i = 0; i < N; i++) x[i] = (float)(i - 1030) * 0.25f;
    x[0] = NAN, x[1] = INFINITY, x[2] = -INFINITY, x[3] = 127.5f, x[4] = -128.5f, x[5] = 1e30f, x[6] = -1e30f;
    x[7] = nextafterf(0.5f, 0), x[8] = nextafterf(0.5f, 1), x[9] = -0.0f, x[10] = nextafterf(126.5f, 0);
    const ferry_elementwise_s8_row *row;
    for (size_t r = 0; (row = ferry_elementwise_s8_at(r)); r++) {
        if (row->isa & ~ferry_isa_detect()) continue;
        row->quantise(x, 1.0f, 0, -128, 127, (uint8_t *)y, N);
        for (int i = 0; i < N; i++)
            if (y[i] != ferry_sat8(x[i]))
                fail_msg("%s: %.9g becomes %d, not %d", row->name, (double)x[i], y[i], ferry_sat8(x[i]));
    }
}

// Inputs whose quotient lies on or next to the middle between two steps, for scales of every size.
static void quantising__divides_as_the_definition_does(void **unused)
{
    (void)unused;
    enum { HALVES = 260, AROUND = 9, N = HALVES * AROUND };
    float x[N];
    int8_t y[N];
    uint32_t state = 12345;
    for (int round = 0; round < 400; round++) {
        state = state * 1664525u + 1013904223u;
        const float mantissa = round % 8 == 0 ? 0x1.fffffep0f : 1 + (float)(state >> 9) * 0x1p-23f;
        const float scale = ldexpf(mantissa, round < 120   ? round - 60
                                             : round < 200 ? -126 + round % 40
                                                           : -12 + round % 20);
        const int32_t zero = round % 3 == 0 ? 0 : (int32_t)(state % 256) - 128;
        for (int i = 0; i < HALVES; i++) {
            float near = ((float)(i - HALVES / 2) + 0.5f) * scale;
            for (int k = 0; k < AROUND / 2; k++) near = nextafterf(near, -INFINITY);
            for (int k = 0; k < AROUND; k++, near = nextafterf(near, INFINITY)) x[i * AROUND + k] = near;
        }
        const ferry_elementwise_s8_row *row;
        for (size_t r = 0; (row = ferry_elementwise_s8_at(r)); r++) {
            if (row->isa & ~ferry_isa_detect()) continue;
            row->quantise(x, scale, zero, -128, 127, (uint8_t *)y, N);
            for (int i = 0; i < N; i++) {
                const float whole = nearbyintf(x[i] / scale) + (float)zero;
                if (y[i] != ferry_sat8(whole))
                    fail_msg("%s: %a / %a becomes %d, not %d", row->name, (double)x[i], (double)scale, y[i],
                             ferry_sat8(whole));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_and_products__match_reference_to_the_bit),
        cmocka_unit_test(tables__match_reference),
        cmocka_unit_test(conversions__match_reference_to_the_bit),
        cmocka_unit_test(rounding__is_that_of_the_definition),
        cmocka_unit_test(quantising__divides_as_the_definition_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
