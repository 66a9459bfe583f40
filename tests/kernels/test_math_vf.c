// SPDX-License-Identifier: Apache-2.0
// The elementary functions on vectors against double precision, over all exponents of float, in every instruction set.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

#include "backend/cpu/elementwise_f32.h"
#include "backend/cpu/isa.h"

#define COUNT 997 // no multiple of a vector

static double exact_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}
static double exact_silu(double x)
{
    return x / (1 + exp(-x));
}

// Distance from the exact value in units of the last place of the nearest float.
static double ulps(float got, double exact)
{
    const float nearest = (float)exact;
    if (isinf(nearest) || isinf(got)) return nearest == got ? 0 : INFINITY;
    int exponent = 0;
    frexp(nearest, &exponent);
    return fabs((double)got - exact) / ldexp(1, exponent - 24 < -149 ? -149 : exponent - 24);
}

typedef struct function {
    ferry_unary_f32 loop;
    double (*exact)(double);
    double most_ulps, least; // least argument looked at
} function;

static const function functions[] = {
    {FERRY_UNARY_F32_exp, exp, 2, -INFINITY},
    {FERRY_UNARY_F32_sigmoid, exact_sigmoid, 3, -80}, // below, 1 + e^-x leaves little of what float can show
    {FERRY_UNARY_F32_silu, exact_silu, 3, -80},
};

static size_t fill(float *x, uint64_t *bits, double least)
{
    size_t n = 0;
    for (; n < COUNT && *bits <= UINT32_MAX; *bits += 20011) { // a prime step leaves no bit out
        const uint32_t pattern = (uint32_t)*bits;
        float value;
        memcpy(&value, &pattern, sizeof value);
        if (!isnan(value) && (double)value >= least && !isinf(value)) x[n++] = value;
    }
    return n;
}

static void expect_function(const ferry_elementwise_f32_row *row, const function *f)
{
    static float x[COUNT], y[COUNT];
    const float parameters[FERRY_UNARY_PARAMETERS] = {0, 0, 1, -0.0f};
    uint64_t bits = 0;
    for (size_t n; (n = fill(x, &bits, f->least)) > 0;) {
        row->unary[f->loop](x, y, n, parameters);
        for (size_t i = 0; i < n; i++)
            if (ulps(y[i], f->exact((double)x[i])) > f->most_ulps)
                fail_msg("%s: function %d of %.9g is %.9g, not %.9g", row->name, (int)f->loop, (double)x[i],
                         (double)y[i], f->exact((double)x[i]));
    }
}

static void functions__keep_the_errors_that_are_stated(void **state)
{
    (void)state;
    const ferry_elementwise_f32_row *row;
    size_t rows = 0;
    for (size_t i = 0; (row = ferry_elementwise_f32_at(i)); i++) {
        if (row->isa & ~ferry_isa_detect()) continue;
        rows++;
        for (size_t k = 0; k < sizeof functions / sizeof *functions; k++) expect_function(row, &functions[k]);
    }
    assert_true(rows >= 1);
}

static void not_a_number_and_infinity__stay_what_they_are(void **state)
{
    (void)state;
    const float x[] = {NAN, INFINITY, -INFINITY, 0}, parameters[FERRY_UNARY_PARAMETERS] = {0, 0, 1, -0.0f};
    float y[4];
    const ferry_elementwise_f32_row *row;
    for (size_t i = 0; (row = ferry_elementwise_f32_at(i)); i++) {
        if (row->isa & ~ferry_isa_detect()) continue;
        row->unary[FERRY_UNARY_F32_exp](x, y, 4, parameters);
        assert_true(isnan(y[0]) && y[1] == INFINITY && y[2] == 0 && y[3] == 1);
        row->unary[FERRY_UNARY_F32_sigmoid](x, y, 4, parameters);
        assert_true(isnan(y[0]) && y[1] == 1 && y[2] == 0 && y[3] == 0.5f);
        row->unary[FERRY_UNARY_F32_silu](x, y, 4, parameters);
        assert_true(isnan(y[0]) && y[1] == INFINITY && y[3] == 0);
        row->unary[FERRY_UNARY_F32_hard_swish](x, y, 4, parameters);
        assert_true(isnan(y[0]) && y[1] == INFINITY && y[3] == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions__keep_the_errors_that_are_stated),
        cmocka_unit_test(not_a_number_and_infinity__stay_what_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
