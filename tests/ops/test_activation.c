// SPDX-License-Identifier: Apache-2.0
// Corner cases of activations: NaN, large arguments, bounds, slopes, single rounding.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "support/op_test.h"

#define D(...) ((const double[]){__VA_ARGS__})

static void relu__keeps_nan_and_serves_integers(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Relu", 1);
    op_test_input(&t, FERRY_F32, "3", D(NAN, -1, 2));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "3", D(NAN, 0, 2), 0);
    op_test_end(&t);
}

static void relu__of_int8(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Relu", 1);
    op_test_input(&t, FERRY_S8, "3", D(-128, 0, 127));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "3", D(0, 0, 127), 0);
    op_test_end(&t);
}

static void sigmoid__does_not_overflow(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Sigmoid", 1);
    op_test_input(&t, FERRY_F32, "3", D(-1000, 0, 1000));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "3", D(0, 0.5, 1), 0);
    op_test_end(&t);
}

static void softplus__is_linear_far_out(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Softplus", 1);
    op_test_input(&t, FERRY_F64, "3", D(-1000, 0, 1000));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "3", D(0, 0.69314718055994531, 1000), 1e-15);
    op_test_end(&t);
}

static void gelu__has_two_forms(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Gelu", 1);
    op_test_input(&t, FERRY_F64, "2", D(1, -1));
    op_test_string(&t, "approximate", "tanh");
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2", D(0.84119199060827670, -0.15880800939172324), 1e-12);
    op_test_end(&t);
}

static void gelu__is_exact_by_default(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Gelu", 1);
    op_test_input(&t, FERRY_F64, "2", D(1, -1));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2", D(0.84134474606854293, -0.15865525393145707), 1e-12);
    op_test_end(&t);
}

static void gelu__refuses_other_forms(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Gelu", 1);
    op_test_input(&t, FERRY_F32, "1", NULL);
    op_test_string(&t, "approximate", "quick");
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "approximate is 'quick'");
    op_test_end(&t);
}

static void clip__takes_the_upper_bound_when_bounds_cross(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Clip", 1);
    op_test_input(&t, FERRY_F32, "3", D(-5, 1, 9));
    op_test_input(&t, FERRY_F32, "", D(4));
    op_test_input(&t, FERRY_F32, "", D(2));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "3", D(2, 2, 2), 0);
    op_test_end(&t);
}

static void clip__leaves_nan_and_an_absent_bound(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Clip", 1);
    op_test_input(&t, FERRY_F32, "3", D(NAN, -INFINITY, 9));
    op_test_absent(&t);
    op_test_input(&t, FERRY_F32, "", D(2));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "3", D(NAN, -INFINITY, 2), 0);
    op_test_end(&t);
}

static void clip__of_integers(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Clip", 1);
    op_test_input(&t, FERRY_S8, "4", D(-128, -3, 3, 127));
    op_test_input(&t, FERRY_S8, "", D(-2));
    op_test_input(&t, FERRY_S8, "1", D(5));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "4", D(-2, -2, 3, 5), 0);
    op_test_end(&t);
}

static void clip__refuses_a_list_as_bound(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Clip", 1);
    op_test_input(&t, FERRY_F32, "3", NULL);
    op_test_input(&t, FERRY_F32, "2", NULL);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "2 elements");
    op_test_end(&t);
}

static void prelu__broadcasts_the_slope_over_planes(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "PRelu", 1);
    op_test_input(&t, FERRY_F32, "1x2x2", D(-1, 2, -3, -4));
    op_test_input(&t, FERRY_F32, "2x1", D(0.5, 10));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "1x2x2", D(-0.5, 2, -30, -40), 0);
    op_test_end(&t);
}

static void prelu__never_broadcasts_the_input(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "PRelu", 1);
    op_test_input(&t, FERRY_F32, "2x1", NULL);
    op_test_input(&t, FERRY_F32, "2x3", NULL);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "it must be 1 or the input's 1");
    op_test_end(&t);
}

static void leaky_relu__of_half_rounds_once(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "LeakyRelu", 1);
    op_test_input(&t, FERRY_F16, "2", D(-1, 3));
    op_test_float(&t, "alpha", 0.1f);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2", D(-0.0999755859375, 3), 0);
    op_test_end(&t);
}

static void thresholded_relu__is_zero_at_the_threshold(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ThresholdedRelu", 1);
    op_test_input(&t, FERRY_F32, "3", D(1, 1.5, 2));
    op_test_float(&t, "alpha", 1.5f);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "3", D(0, 0, 2), 0);
    op_test_end(&t);
}

static void shrink__of_integers(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Shrink", 1);
    op_test_input(&t, FERRY_S32, "4", D(-3, -1, 1, 3));
    op_test_float(&t, "bias", 1);
    op_test_float(&t, "lambd", 1.5f);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "4", D(-2, 0, 0, 2), 0);
    op_test_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relu__keeps_nan_and_serves_integers),
        cmocka_unit_test(relu__of_int8),
        cmocka_unit_test(sigmoid__does_not_overflow),
        cmocka_unit_test(softplus__is_linear_far_out),
        cmocka_unit_test(gelu__has_two_forms),
        cmocka_unit_test(gelu__is_exact_by_default),
        cmocka_unit_test(gelu__refuses_other_forms),
        cmocka_unit_test(clip__takes_the_upper_bound_when_bounds_cross),
        cmocka_unit_test(clip__leaves_nan_and_an_absent_bound),
        cmocka_unit_test(clip__of_integers),
        cmocka_unit_test(clip__refuses_a_list_as_bound),
        cmocka_unit_test(prelu__broadcasts_the_slope_over_planes),
        cmocka_unit_test(prelu__never_broadcasts_the_input),
        cmocka_unit_test(leaky_relu__of_half_rounds_once),
        cmocka_unit_test(thresholded_relu__is_zero_at_the_threshold),
        cmocka_unit_test(shrink__of_integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
