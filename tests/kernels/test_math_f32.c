// SPDX-License-Identifier: Apache-2.0
// The elementary functions of the CPU's kernels against double precision, over all exponents of float.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

#define MADD(a, b, c) fmaf(a, b, c)
#include "backend/cpu/math_f32.h"

static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

// Distance of `got` from the exact value, in units of the last place of the nearest float; subnormal results count in
// the smallest one.
static double ulps(float got, double exact)
{
    const float nearest = (float)exact;
    if (isnan(exact)) return isnan(got) ? 0 : INFINITY;
    if (isinf(nearest) || isinf(got)) return nearest == got ? 0 : INFINITY;
    int exponent = 0;
    frexp(nearest, &exponent);
    const double unit = ldexp(1, exponent - 24 < -149 ? -149 : exponent - 24);
    return fabs((double)got - exact) / unit;
}

static double exact_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

typedef struct function {
    const char *name;
    float (*fast)(float);
    double (*exact)(double);
    double most_ulps; // as math_f32.h states it
    double domain;    // least argument looked at
} function;

#define WRAP(name)                                                                                                     \
    static float fast_##name(float x)                                                                                  \
    {                                                                                                                  \
        return math_##name(x);                                                                                         \
    }
WRAP(exp)
WRAP(expm1)
WRAP(sigmoid)
WRAP(tanh)
WRAP(erf)
WRAP(log)

static const function functions[] = {
    {"exp", fast_exp, exp, 2, -INFINITY},
    {"expm1", fast_expm1, expm1, 2, -INFINITY},
    {"sigmoid", fast_sigmoid, exact_sigmoid, 3, -80}, // below, 1 + e^-x leaves little of what float can show
    {"tanh", fast_tanh, tanh, 2, -INFINITY},
    {"erf", fast_erf, erf, 3, -INFINITY},
    {"log", fast_log, log, 1, 0},
};

static void functions__keep_the_errors_that_their_header_states(void **state)
{
    (void)state;
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
        double worst = 0;
        float at = 0;
        // Every sign and exponent, and some 2000 fractions of each; a prime step leaves no bit out.
        for (uint64_t bits = 0; bits <= UINT32_MAX; bits += 4099) {
            const float x = from_bits((uint32_t)bits);
            if (isnan(x) || x < functions[f].domain) continue;
            const double e = ulps(functions[f].fast(x), functions[f].exact((double)x));
            if (e > worst) {
                worst = e;
                at = x;
            }
        }
        print_message("%s: %.2f ulp at %a\n", functions[f].name, worst, (double)at);
        assert_true(worst <= functions[f].most_ulps);
    }
}

static double exact_gelu(double x)
{
    return isinf(x) ? fmax(x, 0) : x * erfc(-x / sqrt(2)) / 2;
}

static void gelu__errs_by_less_than_its_header_states(void **state)
{
    (void)state;
    double worst = 0;
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += 4099) {
        const float x = from_bits((uint32_t)bits);
        if (isnan(x)) continue;
        const double exact = exact_gelu((double)x), e = fabs((double)math_gelu(x) - exact);
        if ((double)math_gelu(x) == exact) continue; // infinite ones
        // Above 1, rounding the result to float is all that is left.
        const double allowed = fabs(exact) > 1 ? fabs(exact) * 2e-7 : 2e-7;
        if (e / allowed > worst) worst = e / allowed;
    }
    print_message("gelu: %.2f of what is allowed\n", worst);
    assert_true(worst <= 1);
}

static void functions__pass_nan_on(void **state)
{
    (void)state;
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) assert_true(isnan(functions[f].fast(NAN)));
    assert_true(isnan(math_gelu(NAN)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions__keep_the_errors_that_their_header_states),
        cmocka_unit_test(gelu__errs_by_less_than_its_header_states),
        cmocka_unit_test(functions__pass_nan_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
