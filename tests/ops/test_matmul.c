// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/op_test.h"

static const double ramp[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

typedef struct product {
    const char *a, *b, *dims;
    double elements[8];
} product;

static void matmul__follows_numpy_for_vectors_and_batches(void **state)
{
    (void)state;
    static const product cases[] = {
        {"2x3", "3x2", "2x2", {22, 28, 49, 64}},
        {"3", "3", "scalar", {14}},
        {"3", "3x2", "2", {22, 28}},
        {"2x3", "3", "2", {14, 32}},
        {"2x1x3", "3x1", "2x1x1", {14, 32}},
        {"2x1x3", "1x2x3x1", "1x2x1x1", {14, 77}},
        {"3", "2x3x2", "2x2", {22, 28, 58, 64}},
        {"0x3", "3x2", "0x2", {0}},
        {"2x0", "0x2", "2x2", {0, 0, 0, 0}},
    };
    const ferry_dtype dtypes[] = {FERRY_F32, FERRY_F64, FERRY_F16, FERRY_S32, FERRY_U64};
    for (size_t i = 0; i < FERRY_COUNT_OF(cases); i++)
        for (size_t d = 0; d < FERRY_COUNT_OF(dtypes); d++) {
            op_test t;
            op_test_begin(&t, "MatMul", 1);
            op_test_input(&t, dtypes[d], cases[i].a, ramp);
            op_test_input(&t, dtypes[d], cases[i].b, ramp);
            op_test_expect(&t, 0, cases[i].dims, cases[i].elements, 0);
            op_test_end(&t);
        }
}

static void matmul__sums_past_its_segments(void **state)
{
    (void)state;
    enum { K = 7, N = 1100 };
    static double a[K], b[K * N], want[N];
    for (int k = 0; k < K; k++) a[k] = k - 3;
    for (int i = 0; i < K * N; i++) b[i] = i % 13 - 6;
    for (int n = 0; n < N; n++)
        for (int k = 0; k < K; k++) want[n] += a[k] * b[k * N + n];
    op_test t;
    op_test_begin(&t, "MatMul", 1);
    op_test_input(&t, FERRY_F32, "1x7", a);
    op_test_input(&t, FERRY_F32, "7x1100", b);
    op_test_expect(&t, 0, "1x1100", want, 0);
    op_test_end(&t);
}

static void matmul__says_which_sizes_differ(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b, *text;
    } cases[] = {
        {"2x3", "4x2", "the first input has 3 columns, the second 4 rows"},
        {"5x2x3", "4x3x2", "neither is 1"},
        {"", "3", "a scalar has no rows"},
        {"4611686018427387904x2", "2x8", "more than memory can address"},
    };
    for (size_t i = 0; i < FERRY_COUNT_OF(cases); i++) {
        op_test t;
        op_test_begin(&t, "MatMul", 1);
        op_test_input(&t, FERRY_F32, cases[i].a, NULL);
        op_test_input(&t, FERRY_F32, cases[i].b, NULL);
        op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, cases[i].text);
        op_test_end(&t);
    }
    op_test t;
    op_test_begin(&t, "MatMul", 1);
    op_test_input(&t, FERRY_F32, "?x?x3", NULL);
    op_test_input(&t, FERRY_F32, "3x5", NULL);
    assert_int_equal(op_test_infer(&t), FERRY_OK);
    assert_string_equal(op_test_dims(&t, 0), "?x?x5");
    op_test_end(&t);
}

static void gemm__transposes_scales_and_adds(void **state)
{
    (void)state;
    for (int trans = 0; trans < 4; trans++) {
        const bool a = trans & 1, b = trans & 2;
        op_test t;
        op_test_begin(&t, "Gemm", 1);
        op_test_input(&t, FERRY_F32, a ? "3x2" : "2x3", a ? (double[]){1, 4, 2, 5, 3, 6} : ramp);
        op_test_input(&t, FERRY_F32, b ? "2x3" : "3x2", b ? (double[]){1, 3, 5, 2, 4, 6} : ramp);
        op_test_input(&t, FERRY_F32,
                      trans == 0   ? "2"
                      : trans == 1 ? "2x1"
                      : trans == 2 ? ""
                                   : "1x2",
                      (double[]){100, 200});
        op_test_int(&t, "transA", a);
        op_test_int(&t, "transB", b);
        op_test_float(&t, "alpha", 2);
        op_test_float(&t, "beta", 0.5f);
        const double c[4][4] = {{50, 100, 50, 100}, {50, 50, 100, 100}, {50, 50, 50, 50}, {50, 100, 50, 100}};
        double want[4] = {44, 56, 98, 128};
        for (int i = 0; i < 4; i++) want[i] += c[trans][i];
        op_test_expect(&t, 0, "2x2", want, 0);
        op_test_end(&t);
    }
}

static void gemm__wraps_integers(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Gemm", 1);
    op_test_input(&t, FERRY_S32, "1x1", (double[]){65536});
    op_test_input(&t, FERRY_S32, "1x1", (double[]){65537});
    op_test_input(&t, FERRY_S32, "1", (double[]){-1});
    op_test_expect(&t, 0, "1x1", (double[]){65535}, 0);
    op_test_end(&t);
}

static void gemm__refuses_a_c_that_does_not_fit(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Gemm", 1);
    op_test_input(&t, FERRY_F32, "2x3", NULL);
    op_test_input(&t, FERRY_F32, "3x2", NULL);
    op_test_input(&t, FERRY_F32, "3", NULL);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "dimension 0 of C is 3, the product has 2");
    op_test_end(&t);
    op_test_begin(&t, "Gemm", 1);
    op_test_input(&t, FERRY_F32, "2x3", NULL);
    op_test_input(&t, FERRY_F32, "3x2x1", NULL);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "3");
    op_test_end(&t);
    op_test_begin(&t, "Gemm", 1);
    op_test_input(&t, FERRY_F32, "2x3", NULL);
    op_test_input(&t, FERRY_F32, "3x2", NULL);
    op_test_int(&t, "transB", 1);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "A has 3 columns, B has 2 rows (as transposed)");
    op_test_end(&t);
}

static void matmul_integer__takes_a_zero_point_for_each_row_and_column(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "MatMulInteger", 1);
    op_test_input(&t, FERRY_U8, "2x2", (double[]){255, 0, 10, 20});
    op_test_input(&t, FERRY_S8, "2x2", (double[]){-128, 127, 1, 2});
    op_test_input(&t, FERRY_U8, "2", (double[]){255, 10});
    op_test_input(&t, FERRY_S8, "2", (double[]){-128, 0});
    op_test_expect(&t, 0, "2x2", (double[]){-255 * 129, -510, 1290, 20}, 0);
    op_test_end(&t);
    op_test_begin(&t, "MatMulInteger", 1);
    op_test_input(&t, FERRY_U8, "2x2", NULL);
    op_test_input(&t, FERRY_S8, "2x2", NULL);
    op_test_input(&t, FERRY_U8, "3", NULL);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "zero point 0 has 3 values, not 1 or 2");
    op_test_end(&t);
}

static void softmax__survives_large_values_on_any_axis(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Softmax", 1);
    op_test_input(&t, FERRY_F32, "2x2", (double[]){1000, -1000, 1000, 1000});
    op_test_int(&t, "axis", 0);
    op_test_expect(&t, 0, "2x2", (double[]){0.5, 0, 0.5, 1}, 1e-7);
    op_test_end(&t);
    op_test_begin(&t, "LogSoftmax", 1);
    op_test_input(&t, FERRY_F32, "1x2", (double[]){1000, 0});
    op_test_expect(&t, 0, "1x2", (double[]){0, -1000}, 1e-7);
    op_test_end(&t);
    op_test_begin(&t, "Hardmax", 1);
    op_test_input(&t, FERRY_F32, "1x3", (double[]){7, 9, 9});
    op_test_expect(&t, 0, "1x3", (double[]){0, 1, 0}, 0);
    op_test_end(&t);
    op_test_begin(&t, "Softmax", 1);
    op_test_input(&t, FERRY_F32, "2x2", NULL);
    op_test_int(&t, "axis", 2);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "axis 2 is out of range: the input has 2 dims");
    op_test_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matmul__follows_numpy_for_vectors_and_batches),
        cmocka_unit_test(matmul__sums_past_its_segments),
        cmocka_unit_test(matmul__says_which_sizes_differ),
        cmocka_unit_test(gemm__transposes_scales_and_adds),
        cmocka_unit_test(gemm__wraps_integers),
        cmocka_unit_test(gemm__refuses_a_c_that_does_not_fit),
        cmocka_unit_test(matmul_integer__takes_a_zero_point_for_each_row_and_column),
        cmocka_unit_test(softmax__survives_large_values_on_any_axis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
