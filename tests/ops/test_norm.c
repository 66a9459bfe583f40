// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <cmocka.h>

#include "support/op_test.h"

static const double ramp[] = {1, 2, 3, 4, 5, 6, 7, 8};

static void batch_norm__uses_the_statistics_given(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "BatchNormalization", 1);
    op_test_input(&t, FERRY_F32, "1x2x2", ramp);
    op_test_input(&t, FERRY_F32, "2", (double[]){2, 1});
    op_test_input(&t, FERRY_F32, "2", (double[]){10, 0});
    op_test_input(&t, FERRY_F32, "2", (double[]){1, 3});
    op_test_input(&t, FERRY_F32, "2", (double[]){4, 0.25});
    op_test_float(&t, "epsilon", 0);
    op_test_expect(&t, 0, "1x2x2", (double[]){10, 11, 0, 2}, 0);
    op_test_end(&t);
}

static void batch_norm__refuses_training_and_wrong_counts(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "BatchNormalization", 1);
    op_test_input(&t, FERRY_F32, "1x2x2", NULL);
    for (int i = 0; i < 4; i++) op_test_input(&t, FERRY_F32, i == 2 ? "3" : "2", NULL);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "the mean has 3 values, the input has 2 channels");
    op_test_end(&t);
    op_test_begin(&t, "BatchNormalization", 1);
    op_test_input(&t, FERRY_F32, "1x2x2", NULL);
    for (int i = 0; i < 4; i++) op_test_input(&t, FERRY_F32, "2", NULL);
    op_test_int(&t, "training_mode", 1);
    op_test_expect_error(&t, FERRY_ERR_UNSUPPORTED, "inference mode");
    op_test_end(&t);
}

// Values far from 0 with little variance: a single pass over squares would lose it.
static void instance_norm__keeps_the_variance_of_close_values(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "InstanceNormalization", 1);
    op_test_input(&t, FERRY_F64, "1x1x2", (double[]){1e9, 1e9 + 2});
    op_test_input(&t, FERRY_F64, "1", (double[]){3});
    op_test_input(&t, FERRY_F64, "1", (double[]){1});
    op_test_float(&t, "epsilon", 0);
    op_test_expect(&t, 0, "1x1x2", (double[]){-2, 4}, 0);
    op_test_end(&t);
}

static void group_norm__shares_moments_inside_a_group(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "GroupNormalization", 1);
    op_test_input(&t, FERRY_F32, "1x4x1", (double[]){1, 3, 10, 30});
    op_test_input(&t, FERRY_F32, "4", (double[]){1, 1, 1, 2});
    op_test_input(&t, FERRY_F32, "4", (double[]){0, 0, 5, 0});
    op_test_int(&t, "num_groups", 2);
    op_test_float(&t, "epsilon", 0);
    op_test_expect(&t, 0, "1x4x1", (double[]){-1, 1, 4, 2}, 0);
    op_test_end(&t);
    op_test_begin(&t, "GroupNormalization", 1);
    op_test_input(&t, FERRY_F32, "1x4x1", NULL);
    op_test_input(&t, FERRY_F32, "4", NULL);
    op_test_input(&t, FERRY_F32, "4", NULL);
    op_test_int(&t, "num_groups", 3);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "4 channels do not divide into 3 groups");
    op_test_end(&t);
}

static void layer_norm__gives_mean_and_inverse_deviation_too(void **state)
{
    (void)state;
    const double expected[3][4] = {{9, 11, 9, 11}, {2, 3}, {1, 1 / 3.0}};
    for (int o = 0; o < 3; o++) {
        op_test t;
        op_test_begin(&t, "LayerNormalization", 3);
        op_test_input(&t, FERRY_F32, "2x1x2", (double[]){1, 3, 0, 6});
        op_test_input(&t, FERRY_F32, "2", (double[]){1, 1});
        op_test_input(&t, FERRY_F32, "1", (double[]){10});
        op_test_int(&t, "axis", -2);
        op_test_float(&t, "epsilon", 0);
        op_test_expect(&t, o, o ? "2x1x1" : "2x1x2", expected[o], 1e-7);
        op_test_end(&t);
    }
}

static void layer_norm__refuses_a_scale_that_would_grow_the_input(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "LayerNormalization", 1);
    op_test_input(&t, FERRY_F32, "2x3", NULL);
    op_test_input(&t, FERRY_F32, "4x2x3", NULL);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "the scale has 3 dims, the input has 2");
    op_test_end(&t);
    op_test_begin(&t, "LayerNormalization", 1);
    op_test_input(&t, FERRY_F32, "2x3", NULL);
    op_test_input(&t, FERRY_F32, "2", NULL);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "is 2, the input has 3 there");
    op_test_end(&t);
}

static void rms_norm__has_the_type_of_its_scale(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "RMSNormalization", 1);
    op_test_input(&t, FERRY_F16, "1x2", (double[]){3, -3});
    op_test_input(&t, FERRY_F32, "2", (double[]){2, 4});
    op_test_float(&t, "epsilon", 0);
    op_test_expect(&t, 0, "1x2", (double[]){2, -4}, 1e-6);
    assert_int_equal(t.out_dtypes[0], FERRY_F32);
    op_test_end(&t);
}

static void mean_variance__takes_any_axes(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "MeanVarianceNormalization", 1);
    op_test_input(&t, FERRY_F32, "2x2x2", (double[]){1, 10, 3, 30, 1, 10, 3, 30});
    OP_TEST_INTS(&t, "axes", 0, 1);
    op_test_expect(&t, 0, "2x2x2", (double[]){-1, -1, 1, 1, -1, -1, 1, 1}, 1e-6);
    op_test_end(&t);
    op_test_begin(&t, "MeanVarianceNormalization", 1);
    op_test_input(&t, FERRY_F32, "2x2", NULL);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "axis"); // the usual axes 0, 2, 3 need four dims
    op_test_end(&t);
}

static void lrn__looks_further_ahead_than_back_when_the_size_is_even(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "LRN", 1);
    op_test_input(&t, FERRY_F32, "1x3x1", (double[]){1, 2, 3});
    op_test_int(&t, "size", 2);
    op_test_float(&t, "alpha", 2);
    op_test_float(&t, "beta", 1);
    op_test_float(&t, "bias", 0);
    op_test_expect(&t, 0, "1x3x1", (double[]){1 / 5.0, 2 / 13.0, 3 / 9.0}, 1e-7);
    op_test_end(&t);
    op_test_begin(&t, "LRN", 1);
    op_test_input(&t, FERRY_F32, "1x3x1", (double[]){1, 2, 3});
    op_test_int(&t, "size", INT64_MAX); // sums every channel; nothing overflows
    op_test_float(&t, "beta", 0);
    op_test_expect(&t, 0, "1x3x1", (double[]){1, 2, 3}, 0);
    op_test_end(&t);
}

static void lp_normalization__leaves_zeros_alone(void **state)
{
    (void)state;
    for (int p = 1; p <= 2; p++) {
        op_test t;
        op_test_begin(&t, "LpNormalization", 1);
        op_test_input(&t, FERRY_F32, "2x2", (double[]){3, 0, -4, 0});
        op_test_int(&t, "axis", 0);
        op_test_int(&t, "p", p);
        const double norm = p == 1 ? 7 : 5;
        op_test_expect(&t, 0, "2x2", (double[]){3 / norm, 0, -4 / norm, 0}, 1e-7);
        op_test_end(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_norm__uses_the_statistics_given),
        cmocka_unit_test(batch_norm__refuses_training_and_wrong_counts),
        cmocka_unit_test(instance_norm__keeps_the_variance_of_close_values),
        cmocka_unit_test(group_norm__shares_moments_inside_a_group),
        cmocka_unit_test(layer_norm__gives_mean_and_inverse_deviation_too),
        cmocka_unit_test(layer_norm__refuses_a_scale_that_would_grow_the_input),
        cmocka_unit_test(rms_norm__has_the_type_of_its_scale),
        cmocka_unit_test(mean_variance__takes_any_axes),
        cmocka_unit_test(lrn__looks_further_ahead_than_back_when_the_size_is_even),
        cmocka_unit_test(lp_normalization__leaves_zeros_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
