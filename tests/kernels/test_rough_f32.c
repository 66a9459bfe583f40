// SPDX-License-Identifier: Apache-2.0
// The functions for results that become bf16 against double precision: for every bf16 and many floats, in every
// instruction set.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

#include "backend/cpu/isa.h"
#include "backend/cpu/rough_f32.h"

#define COUNT 1001 // no multiple of a vector

static double exact_sigmoid(double x, double p)
{
    (void)p;
    return 1 / (1 + exp(-x));
}
static double exact_silu(double x, double p)
{
    (void)p;
    return x / (1 + exp(-x));
}
static double exact_swish(double x, double p)
{
    return x / (1 + exp(-p * x));
}

static const struct {
    ferry_unary_f32 loop;
    double (*exact)(double x, double p);
    float p;
} functions[] = {
    {FERRY_UNARY_F32_sigmoid, exact_sigmoid, 0},
    {FERRY_UNARY_F32_silu, exact_silu, 0},
    {FERRY_UNARY_F32_swish, exact_swish, 1.5f},
};

static const uint32_t isas[] = {FERRY_ISA_NONE, FERRY_ISA_AVX2, FERRY_ISA_AVX2 | FERRY_ISA_AVX512, FERRY_ISA_NEON};

// Calls `check` with the loop of each instruction set that this CPU has, for each function.
static void for_each(void (*check)(ferry_unary_f32_loop loop, size_t function))
{
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) {
        if (isas[i] & ~ferry_isa_detect()) continue;
        for (size_t f = 0; f < sizeof functions / sizeof *functions; f++)
            check(ferry_unary_loop_for(isas[i], functions[f].loop, FERRY_BF16), f);
    }
}

static void expect_near(float x, float got, size_t function)
{
    const double exact = functions[function].exact((double)x, (double)functions[function].p);
    if (fabs((double)got - exact) > 0x1p-12 * fabs(exact) + 0x1p-119)
        fail_msg("function %zu of %.9g is %.9g, not %.9g", function, (double)x, (double)got, exact);
}

// Every 1009th pattern: a prime step leaves no bit out, and every bf16 is a neighbour of one.
static void check_floats(ferry_unary_f32_loop loop, size_t function)
{
    static float x[COUNT], y[COUNT];
    const float parameters[FERRY_UNARY_PARAMETERS] = {functions[function].p, 0, 1, 0};
    for (uint64_t bits = 0; bits <= UINT32_MAX;) {
        size_t n = 0;
        for (; n < COUNT && bits <= UINT32_MAX; bits += 1009) {
            const uint32_t pattern = (uint32_t)bits;
            memcpy(&x[n], &pattern, sizeof pattern);
            n += isfinite(x[n]) ? 1 : 0;
        }
        loop(x, y, n, parameters);
        for (size_t i = 0; i < n; i++) expect_near(x[i], y[i], function);
    }
}

static void check_bf16(ferry_unary_f32_loop loop, size_t function)
{
    static float x[COUNT];
    const float parameters[FERRY_UNARY_PARAMETERS] = {functions[function].p, 0, 1, 0};
    for (uint32_t bits = 0; bits <= UINT16_MAX; bits++) {
        const uint32_t pattern = bits << 16;
        float given = 0, got = 0;
        memcpy(&given, &pattern, sizeof given);
        if (!isfinite(given)) continue;
        loop(&given, &got, 1, parameters);
        expect_near(given, got, function);
    }
    // Scaled and shifted, by what leaves no error of its own.
    const float scaled[FERRY_UNARY_PARAMETERS] = {functions[function].p, 0, 4, 0};
    x[0] = x[1] = 0.75f;
    loop(x, x, 1, parameters);
    loop(x + 1, x + 1, 1, scaled);
    assert_true(x[1] == 4 * x[0]);
    // In place, and nothing behind the last element is touched.
    for (size_t i = 0; i < COUNT; i++) x[i] = (float)i * 0.125f - 60;
    loop(x, x, COUNT - 1, parameters);
    for (size_t i = 0; i < COUNT - 1; i++) expect_near((float)i * 0.125f - 60, x[i], function);
    assert_true(x[COUNT - 1] == (float)(COUNT - 1) * 0.125f - 60);
}

static void check_ends(ferry_unary_f32_loop loop, size_t function)
{
    const float x[] = {NAN, INFINITY}, parameters[FERRY_UNARY_PARAMETERS] = {functions[function].p, 0, 1, 0};
    float y[2];
    loop(x, y, 2, parameters);
    assert_true(isnan(y[0]));
    assert_true(y[1] == (functions[function].loop == FERRY_UNARY_F32_sigmoid ? 1 : INFINITY));
}

static void functions__keep_the_errors_that_are_stated(void **state)
{
    (void)state;
    for_each(check_floats);
    for_each(check_bf16);
}

static void not_a_number_and_infinity__stay_what_they_are(void **state)
{
    (void)state;
    for_each(check_ends);
}

static void results_in_float__are_not_rough(void **state)
{
    (void)state;
    const uint32_t isa = ferry_isa_detect();
    assert_true(ferry_unary_loop_for(isa, FERRY_UNARY_F32_silu, FERRY_F32) ==
                ferry_elementwise_f32_pick(isa)->unary[FERRY_UNARY_F32_silu]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions__keep_the_errors_that_are_stated),
        cmocka_unit_test(not_a_number_and_infinity__stay_what_they_are),
        cmocka_unit_test(results_in_float__are_not_rough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
