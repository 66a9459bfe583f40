// SPDX-License-Identifier: Apache-2.0
// Corner cases of reductions: empty sets, axes, ends of integers, NaN.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "support/op_test.h"

#define D(...) ((const double[]){__VA_ARGS__})

static void reduce_sum__of_nothing_is_zero(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ReduceSum", 1);
    op_test_input(&t, FERRY_F32, "2x0", D(0));
    op_test_input(&t, FERRY_S64, "1", D(1));
    op_test_int(&t, "keepdims", 0);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2", D(0, 0), 0);
    op_test_end(&t);
}

static void reduce_max__of_nothing_is_the_least_value(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ReduceMax", 1);
    op_test_input(&t, FERRY_S8, "0", D(0));
    op_test_int(&t, "keepdims", 0);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "scalar", D(-128), 0);
    op_test_end(&t);
}

static void reduce_min__of_no_floats_is_infinite(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ReduceMin", 1);
    op_test_input(&t, FERRY_F32, "0", D(0));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "1", D(INFINITY), 0);
    op_test_end(&t);
}

static void reduce_prod__of_nothing_is_one(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ReduceProd", 1);
    op_test_input(&t, FERRY_F64, "0", D(0));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "1", D(1), 0);
    op_test_end(&t);
}

static void reduce_mean__of_nothing_is_nan(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ReduceMean", 1);
    op_test_input(&t, FERRY_F32, "0", D(0));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "1", D(NAN), 0);
    op_test_end(&t);
}

static void reduce_sum__over_several_axes(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ReduceSum", 1);
    op_test_input(&t, FERRY_F32, "2x2x2", D(1, 2, 3, 4, 5, 6, 7, 8));
    op_test_input(&t, FERRY_S64, "2", D(0, -1));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "1x2x1", D(14, 22), 0);
    op_test_end(&t);
}

static void reduce_sum__without_axes_may_do_nothing(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ReduceSum", 1);
    op_test_input(&t, FERRY_F32, "2", D(3, 4));
    op_test_int(&t, "noop_with_empty_axes", 1);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2", D(3, 4), 0);
    op_test_end(&t);
}

static void reduce_sum_square__of_no_axes_squares(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ReduceSumSquare", 1);
    op_test_input(&t, FERRY_F32, "2", D(3, 4));
    op_test_int(&t, "noop_with_empty_axes", 1);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2", D(9, 16), 0);
    op_test_end(&t);
}

static void reduce_sum__refuses_an_axis_twice(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ReduceSum", 1);
    op_test_input(&t, FERRY_F32, "2x3", NULL);
    op_test_input(&t, FERRY_S64, "2", D(1, -1));
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "axis 1 is named twice");
    op_test_end(&t);
}

static void reduce_sum__names_axis_and_rank(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ReduceSum", 1);
    op_test_input(&t, FERRY_F32, "2x3", NULL);
    op_test_input(&t, FERRY_S64, "1", D(2));
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "axis 2");
    op_test_end(&t);
}

static void reduce_log_sum_exp__does_not_overflow(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ReduceLogSumExp", 1);
    op_test_input(&t, FERRY_F64, "2", D(1000, 1000));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "1", D(1000.6931471805599), 1e-12);
    op_test_end(&t);
}

static void reduce_mean__of_integers_truncates(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ReduceMean", 1);
    op_test_input(&t, FERRY_S32, "3", D(-1, -2, -5));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "1", D(-2), 0);
    op_test_end(&t);
}

static void reduce_max__of_nan_is_nan(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ReduceMax", 1);
    op_test_input(&t, FERRY_F32, "3", D(1, NAN, 3));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "1", D(NAN), 0);
    op_test_end(&t);
}

static void reduce_sum__of_half_is_summed_wide(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ReduceSum", 1);
    op_test_input(&t, FERRY_F16, "3", D(2048, 1, 1));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "1", D(2050), 0);
    op_test_end(&t);
}

static void reduce_sum__of_unknown_axes_keeps_the_rank(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ReduceSum", 1);
    op_test_input(&t, FERRY_F32, "2x3", NULL);
    op_test_input(&t, FERRY_S64, "1", NULL);
    assert_int_equal(op_test_infer(&t), FERRY_OK);
    assert_string_equal(op_test_dims(&t, 0), "?x?");
    op_test_end(&t);
}

static void arg_max__takes_the_first_of_equals(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ArgMax", 1);
    op_test_input(&t, FERRY_F32, "2x3", D(5, 1, 5, NAN, 7, NAN));
    op_test_int(&t, "axis", -1);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2x1", D(0, 0), 0);
    op_test_end(&t);
}

static void arg_max__may_take_the_last(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ArgMax", 1);
    op_test_input(&t, FERRY_F32, "2x2", D(5, 1, 5, 0));
    op_test_int(&t, "keepdims", 0);
    op_test_int(&t, "select_last_index", 1);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2", D(1, 0), 0);
    op_test_end(&t);
}

static void arg_min__of_unsigned(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ArgMin", 1);
    op_test_input(&t, FERRY_U8, "3", D(200, 3, 100));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "1", D(1), 0);
    op_test_end(&t);
}

static void arg_max__of_nothing_is_refused(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ArgMax", 1);
    op_test_input(&t, FERRY_F32, "2x0", NULL);
    op_test_int(&t, "axis", 1);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "axis 1 has 0 elements");
    op_test_end(&t);
}

static void cum_sum__exclusive_and_reverse(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "CumSum", 1);
    op_test_input(&t, FERRY_F32, "2x3", D(1, 2, 3, 4, 5, 6));
    op_test_input(&t, FERRY_S32, "", D(1));
    op_test_int(&t, "exclusive", 1);
    op_test_int(&t, "reverse", 1);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2x3", D(5, 3, 0, 11, 6, 0), 0);
    op_test_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reduce_sum__of_nothing_is_zero),
        cmocka_unit_test(reduce_max__of_nothing_is_the_least_value),
        cmocka_unit_test(reduce_min__of_no_floats_is_infinite),
        cmocka_unit_test(reduce_prod__of_nothing_is_one),
        cmocka_unit_test(reduce_mean__of_nothing_is_nan),
        cmocka_unit_test(reduce_sum__over_several_axes),
        cmocka_unit_test(reduce_sum__without_axes_may_do_nothing),
        cmocka_unit_test(reduce_sum_square__of_no_axes_squares),
        cmocka_unit_test(reduce_sum__refuses_an_axis_twice),
        cmocka_unit_test(reduce_sum__names_axis_and_rank),
        cmocka_unit_test(reduce_log_sum_exp__does_not_overflow),
        cmocka_unit_test(reduce_mean__of_integers_truncates),
        cmocka_unit_test(reduce_max__of_nan_is_nan),
        cmocka_unit_test(reduce_sum__of_half_is_summed_wide),
        cmocka_unit_test(reduce_sum__of_unknown_axes_keeps_the_rank),
        cmocka_unit_test(arg_max__takes_the_first_of_equals),
        cmocka_unit_test(arg_max__may_take_the_last),
        cmocka_unit_test(arg_min__of_unsigned),
        cmocka_unit_test(arg_max__of_nothing_is_refused),
        cmocka_unit_test(cum_sum__exclusive_and_reverse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
