// SPDX-License-Identifier: Apache-2.0
// Corner cases of elementwise mathematics.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "support/op_test.h"

#define D(...) ((const double[]){__VA_ARGS__})

static void round__goes_half_to_even(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Round", 1);
    op_test_input(&t, FERRY_F32, "6", D(0.5, 1.5, 2.5, -0.5, -1.5, 1e10));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "6", D(0, 2, 2, -0.0, -2, 1e10), 0);
    op_test_end(&t);
}

static void abs__of_the_smallest_integer_wraps(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Abs", 1);
    op_test_input(&t, FERRY_S8, "2", D(-128, -5));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2", D(-128, 5), 0);
    op_test_end(&t);
}

static void neg__of_the_smallest_integer_wraps(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Neg", 1);
    op_test_input(&t, FERRY_S32, "2", D(-2147483648.0, 7));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2", D(-2147483648.0, -7), 0);
    op_test_end(&t);
}

static void neg__refuses_unsigned_integers(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Neg", 1);
    op_test_input(&t, FERRY_U8, "2", NULL);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "type uint8");
    op_test_end(&t);
}

static void sign__of_zero_and_nan_is_itself(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Sign", 1);
    op_test_input(&t, FERRY_F32, "4", D(-7, 0, NAN, INFINITY));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "4", D(-1, 0, NAN, 1), 0);
    op_test_end(&t);
}

static void is_inf__chooses_the_sign(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "IsInf", 1);
    op_test_input(&t, FERRY_F32, "4", D(INFINITY, -INFINITY, NAN, 1));
    op_test_int(&t, "detect_positive", 0);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "4", D(0, 1, 0, 0), 0);
    op_test_end(&t);
}

static void is_nan__of_half(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "IsNaN", 1);
    op_test_input(&t, FERRY_F16, "3", D(NAN, INFINITY, 0));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "3", D(1, 0, 0), 0);
    op_test_end(&t);
}

static void bitwise_not__keeps_the_width(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "BitwiseNot", 1);
    op_test_input(&t, FERRY_U16, "2", D(0, 65280));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2", D(65535, 255), 0);
    op_test_end(&t);
}

static void not__of_bool(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Not", 1);
    op_test_input(&t, FERRY_BOOL, "2", D(1, 0));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2", D(0, 1), 0);
    op_test_end(&t);
}

static void exp__of_bfloat16_rounds_once(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Exp", 1);
    op_test_input(&t, FERRY_BF16, "1", D(1));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "1", D(2.71875), 0);
    op_test_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round__goes_half_to_even),
        cmocka_unit_test(abs__of_the_smallest_integer_wraps),
        cmocka_unit_test(neg__of_the_smallest_integer_wraps),
        cmocka_unit_test(neg__refuses_unsigned_integers),
        cmocka_unit_test(sign__of_zero_and_nan_is_itself),
        cmocka_unit_test(is_inf__chooses_the_sign),
        cmocka_unit_test(is_nan__of_half),
        cmocka_unit_test(bitwise_not__keeps_the_width),
        cmocka_unit_test(not__of_bool),
        cmocka_unit_test(exp__of_bfloat16_rounds_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
