// SPDX-License-Identifier: Apache-2.0
// Conversions at the ends of types: rounding once, saturation, NaN.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "support/op_test.h"

#define D(...) ((const double[]){__VA_ARGS__})

static void cast__saturates_floats_and_zeroes_nan(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Cast", 1);
    op_test_input(&t, FERRY_F32, "6", D(300, -300, NAN, INFINITY, 1.9, -1.9));
    op_test_int(&t, "to", 3);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "6", D(127, -128, 0, 127, 1, -1), 0);
    op_test_end(&t);
}

static void cast__to_unsigned_stops_at_zero(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Cast", 1);
    op_test_input(&t, FERRY_F32, "3", D(-1, 255.9, 1e30));
    op_test_int(&t, "to", 2);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "3", D(0, 255, 255), 0);
    op_test_end(&t);
}

static void cast__wraps_integers(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Cast", 1);
    op_test_input(&t, FERRY_S32, "3", D(300, -1, 128));
    op_test_int(&t, "to", 3);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "3", D(44, -1, -128), 0);
    op_test_end(&t);
}

static void cast__to_bool_takes_nan_for_true(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Cast", 1);
    op_test_input(&t, FERRY_F32, "4", D(NAN, 0, -0.0, 0.1));
    op_test_int(&t, "to", 9);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "4", D(1, 0, 0, 1), 0);
    op_test_end(&t);
}

static void cast__from_double_to_half_rounds_once(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Cast", 1);
    op_test_input(&t, FERRY_F64, "2", D(1 + 0x1p-11 + 0x1p-30, 65520));
    op_test_int(&t, "to", 10);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2", D(1 + 0x1p-10, INFINITY), 0);
    op_test_end(&t);
}

static void cast__from_int64_to_bfloat16_rounds_once(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Cast", 1);
    op_test_input(&t, FERRY_S64, "1", D(281474976710657.0 * 257));
    op_test_int(&t, "to", 16);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "1", D(0x1.02p56), 0);
    op_test_end(&t);
}

static void cast_like__takes_the_type_of_the_second(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "CastLike", 1);
    op_test_input(&t, FERRY_F32, "2", D(1.5, -2.5));
    op_test_input(&t, FERRY_S64, "0x3", D(0));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2", D(1, -2), 0);
    op_test_end(&t);
}

static void cast__refuses_types_that_ferry_lacks(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Cast", 1);
    op_test_input(&t, FERRY_F32, "1", NULL);
    op_test_int(&t, "to", 17);
    op_test_expect_error(&t, FERRY_ERR_UNSUPPORTED, "element type 17");
    op_test_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cast__saturates_floats_and_zeroes_nan),
        cmocka_unit_test(cast__to_unsigned_stops_at_zero),
        cmocka_unit_test(cast__wraps_integers),
        cmocka_unit_test(cast__to_bool_takes_nan_for_true),
        cmocka_unit_test(cast__from_double_to_half_rounds_once),
        cmocka_unit_test(cast__from_int64_to_bfloat16_rounds_once),
        cmocka_unit_test(cast_like__takes_the_type_of_the_second),
        cmocka_unit_test(cast__refuses_types_that_ferry_lacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
