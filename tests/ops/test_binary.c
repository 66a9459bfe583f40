// SPDX-License-Identifier: Apache-2.0
// Corner cases of elementwise operators of several inputs: broadcasting, integers at their ends, NaN.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "support/op_test.h"

#define D(...) ((const double[]){__VA_ARGS__})

static void add__broadcasts_both_ways(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Add", 1);
    op_test_input(&t, FERRY_F32, "2x1", D(1, 2));
    op_test_input(&t, FERRY_F32, "3", D(10, 20, 30));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2x3", D(11, 21, 31, 12, 22, 32), 0);
    op_test_end(&t);
}

static void add__broadcasts_a_middle_dimension(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Add", 1);
    op_test_input(&t, FERRY_S32, "2x1x2", D(1, 2, 3, 4));
    op_test_input(&t, FERRY_S32, "2x1", D(10, 20));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2x2x2", D(11, 12, 21, 22, 13, 14, 23, 24), 0);
    op_test_end(&t);
}

static void add__of_bytes_wraps(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Add", 1);
    op_test_input(&t, FERRY_U8, "2", D(250, 3));
    op_test_input(&t, FERRY_U8, "", D(10));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2", D(4, 13), 0);
    op_test_end(&t);
}

static void add__names_both_sizes(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Add", 1);
    op_test_input(&t, FERRY_F32, "2x3", NULL);
    op_test_input(&t, FERRY_F32, "2x4", NULL);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "3");
    op_test_end(&t);
}

static void add__refuses_mixed_types(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Add", 1);
    op_test_input(&t, FERRY_F32, "2", NULL);
    op_test_input(&t, FERRY_S32, "2", NULL);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "int32");
    op_test_end(&t);
}

static void div__by_integer_zero_is_zero(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Div", 1);
    op_test_input(&t, FERRY_S32, "4", D(7, -7, 7, -2147483648.0));
    op_test_input(&t, FERRY_S32, "4", D(0, 2, -2, -1));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "4", D(0, -3, -3, -2147483648.0), 0);
    op_test_end(&t);
}

static void div__of_the_smallest_int64_does_not_trap(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Div", 1);
    op_test_input(&t, FERRY_S64, "1", D(-9223372036854775808.0));
    op_test_input(&t, FERRY_S64, "1", D(-1));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "1", D(-9223372036854775808.0), 0);
    op_test_end(&t);
}

static void mod__takes_the_sign_of_the_divisor(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Mod", 1);
    op_test_input(&t, FERRY_S32, "5", D(-7, 7, -7, 7, 7));
    op_test_input(&t, FERRY_S32, "5", D(3, -3, -3, 0, -1));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "5", D(2, -2, -1, 0, 0), 0);
    op_test_end(&t);
}

static void mod__takes_the_sign_of_the_dividend_with_fmod(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Mod", 1);
    op_test_input(&t, FERRY_F32, "2", D(-7.5, 7.5));
    op_test_input(&t, FERRY_F32, "2", D(3, -3));
    op_test_int(&t, "fmod", 1);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2", D(-1.5, 1.5), 0);
    op_test_end(&t);
}

static void pow__of_integers_truncates_reciprocals(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Pow", 1);
    op_test_input(&t, FERRY_S32, "5", D(2, 1, -1, -1, 3));
    op_test_input(&t, FERRY_S32, "5", D(-1, -5, -3, -2, 4));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "5", D(0, 1, -1, 1, 81), 0);
    op_test_end(&t);
}

static void pow__may_mix_types(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Pow", 1);
    op_test_input(&t, FERRY_F32, "3", D(2, 9, 3));
    op_test_input(&t, FERRY_S64, "3", D(-1, 0, 2));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "3", D(0.5, 1, 9), 0);
    op_test_end(&t);
}

static void less__compares_large_unsigned_numbers(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Less", 1);
    op_test_input(&t, FERRY_U64, "2", D(9223372036854775808.0, 1));
    op_test_input(&t, FERRY_U64, "2", D(1, 9223372036854775808.0));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2", D(0, 1), 0);
    op_test_end(&t);
}

static void equal__of_nan_is_false(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Equal", 1);
    op_test_input(&t, FERRY_F32, "2", D(NAN, 1));
    op_test_input(&t, FERRY_F32, "2", D(NAN, 1));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2", D(0, 1), 0);
    op_test_end(&t);
}

static void max__of_nan_is_nan(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Max", 1);
    op_test_input(&t, FERRY_F32, "3", D(NAN, 1, 2));
    op_test_input(&t, FERRY_F32, "3", D(0, NAN, 3));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "3", D(NAN, NAN, 3), 0);
    op_test_end(&t);
}

static void min__of_one_input_is_that_input(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Min", 1);
    op_test_input(&t, FERRY_S8, "2", D(-1, 5));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2", D(-1, 5), 0);
    op_test_end(&t);
}

static void sum__of_three_halves_rounds_once(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Sum", 1);
    op_test_input(&t, FERRY_F16, "1", D(2048));
    op_test_input(&t, FERRY_F16, "", D(1));
    op_test_input(&t, FERRY_F16, "1", D(1));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "1", D(2050), 0);
    op_test_end(&t);
}

static void mean__broadcasts_three_inputs(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Mean", 1);
    op_test_input(&t, FERRY_F32, "2x1", D(3, 6));
    op_test_input(&t, FERRY_F32, "2", D(0, 3));
    op_test_input(&t, FERRY_F32, "", D(0));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2x2", D(1, 2, 2, 3), 0);
    op_test_end(&t);
}

static void where__broadcasts_three_inputs(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Where", 1);
    op_test_input(&t, FERRY_BOOL, "2x1", D(1, 0));
    op_test_input(&t, FERRY_S64, "", D(7));
    op_test_input(&t, FERRY_S64, "3", D(1, 2, 3));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2x3", D(7, 7, 7, 1, 2, 3), 0);
    op_test_end(&t);
}

static void bit_shift__by_the_width_is_zero(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "BitShift", 1);
    op_test_input(&t, FERRY_U8, "3", D(255, 255, 1));
    op_test_input(&t, FERRY_U8, "3", D(8, 200, 7));
    op_test_string(&t, "direction", "LEFT");
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "3", D(0, 0, 128), 0);
    op_test_end(&t);
}

static void bit_shift__refuses_other_directions(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "BitShift", 1);
    op_test_input(&t, FERRY_U8, "1", NULL);
    op_test_input(&t, FERRY_U8, "1", NULL);
    op_test_string(&t, "direction", "UP");
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "direction is 'UP'");
    op_test_end(&t);
}

static void add__keeps_an_unknown_dimension(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Add", 1);
    op_test_input(&t, FERRY_F32, "?x3", NULL);
    op_test_input(&t, FERRY_F32, "1x1", NULL);
    assert_int_equal(op_test_infer(&t), FERRY_OK);
    assert_string_equal(op_test_dims(&t, 0), "?x3");
    op_test_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add__broadcasts_both_ways),
        cmocka_unit_test(add__broadcasts_a_middle_dimension),
        cmocka_unit_test(add__of_bytes_wraps),
        cmocka_unit_test(add__names_both_sizes),
        cmocka_unit_test(add__refuses_mixed_types),
        cmocka_unit_test(div__by_integer_zero_is_zero),
        cmocka_unit_test(div__of_the_smallest_int64_does_not_trap),
        cmocka_unit_test(mod__takes_the_sign_of_the_divisor),
        cmocka_unit_test(mod__takes_the_sign_of_the_dividend_with_fmod),
        cmocka_unit_test(pow__of_integers_truncates_reciprocals),
        cmocka_unit_test(pow__may_mix_types),
        cmocka_unit_test(less__compares_large_unsigned_numbers),
        cmocka_unit_test(equal__of_nan_is_false),
        cmocka_unit_test(max__of_nan_is_nan),
        cmocka_unit_test(min__of_one_input_is_that_input),
        cmocka_unit_test(sum__of_three_halves_rounds_once),
        cmocka_unit_test(mean__broadcasts_three_inputs),
        cmocka_unit_test(where__broadcasts_three_inputs),
        cmocka_unit_test(bit_shift__by_the_width_is_zero),
        cmocka_unit_test(bit_shift__refuses_other_directions),
        cmocka_unit_test(add__keeps_an_unknown_dimension),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
