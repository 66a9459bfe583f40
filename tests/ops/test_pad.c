// SPDX-License-Identifier: Apache-2.0
// Corner cases of Pad in every mode: further than the size, cutting, nothing to pad with.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "support/op_test.h"

#define D(...) ((const double[]){__VA_ARGS__})

static void pad__reflects_further_than_the_size(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Pad", 1);
    op_test_input(&t, FERRY_S32, "3", D(1, 2, 3));
    op_test_input(&t, FERRY_S64, "2", D(5, 1));
    op_test_string(&t, "mode", "reflect");
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "9", D(2, 1, 2, 3, 2, 1, 2, 3, 2), 0);
    op_test_end(&t);
}

static void pad__wraps(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Pad", 1);
    op_test_input(&t, FERRY_S32, "3", D(1, 2, 3));
    op_test_input(&t, FERRY_S64, "2", D(2, 4));
    op_test_string(&t, "mode", "wrap");
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "9", D(2, 3, 1, 2, 3, 1, 2, 3, 1), 0);
    op_test_end(&t);
}

static void pad__edge_on_one_axis(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Pad", 1);
    op_test_input(&t, FERRY_F32, "2x2", D(1, 2, 3, 4));
    op_test_input(&t, FERRY_S64, "2", D(1, 0));
    op_test_absent(&t);
    op_test_input(&t, FERRY_S64, "1", D(-1));
    op_test_string(&t, "mode", "edge");
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2x3", D(1, 1, 2, 3, 3, 4), 0);
    op_test_end(&t);
}

static void pad__negative_cuts(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Pad", 1);
    op_test_input(&t, FERRY_S32, "4", D(1, 2, 3, 4));
    op_test_input(&t, FERRY_S64, "2", D(-1, 2));
    op_test_input(&t, FERRY_S32, "", D(9));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "5", D(2, 3, 4, 9, 9), 0);
    op_test_end(&t);
}

static void pad__reflects_what_is_left_after_cutting(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Pad", 1);
    op_test_input(&t, FERRY_S32, "4", D(1, 2, 3, 4));
    op_test_input(&t, FERRY_S64, "2", D(-2, 1));
    op_test_string(&t, "mode", "reflect");
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "3", D(3, 4, 3), 0);
    op_test_end(&t);
}

static void pad__of_nothing_with_a_constant(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Pad", 1);
    op_test_input(&t, FERRY_F32, "0x1", D(0));
    op_test_input(&t, FERRY_S64, "4", D(1, 0, 0, 1));
    op_test_input(&t, FERRY_F32, "", D(7));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "1x2", D(7, 7), 0);
    op_test_end(&t);
}

static void pad__of_nothing_has_no_edge(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Pad", 1);
    op_test_input(&t, FERRY_F32, "0", NULL);
    op_test_input(&t, FERRY_S64, "2", D(1, 0));
    op_test_string(&t, "mode", "edge");
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "no element to pad with");
    op_test_end(&t);
}

static void pad__counts_its_entries(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Pad", 1);
    op_test_input(&t, FERRY_F32, "2x2", NULL);
    op_test_input(&t, FERRY_S64, "3", D(1, 0, 1));
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "pads has 3 entries");
    op_test_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pad__reflects_further_than_the_size),
        cmocka_unit_test(pad__wraps),
        cmocka_unit_test(pad__edge_on_one_axis),
        cmocka_unit_test(pad__negative_cuts),
        cmocka_unit_test(pad__reflects_what_is_left_after_cutting),
        cmocka_unit_test(pad__of_nothing_with_a_constant),
        cmocka_unit_test(pad__of_nothing_has_no_edge),
        cmocka_unit_test(pad__counts_its_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
