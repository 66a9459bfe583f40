// SPDX-License-Identifier: Apache-2.0
// Corner cases of indices: negative, out of range, repeated.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "support/op_test.h"

#define D(...) ((const double[]){__VA_ARGS__})

static void gather__counts_from_the_end(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Gather", 1);
    op_test_input(&t, FERRY_S32, "3x2", D(1, 2, 3, 4, 5, 6));
    op_test_input(&t, FERRY_S64, "1x2", D(-1, 0));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "1x2x2", D(5, 6, 1, 2), 0);
    op_test_end(&t);
}

static void gather__of_a_scalar_index_drops_the_axis(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Gather", 1);
    op_test_input(&t, FERRY_S32, "2x2", D(1, 2, 3, 4));
    op_test_input(&t, FERRY_S32, "", D(1));
    op_test_int(&t, "axis", 1);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2", D(2, 4), 0);
    op_test_end(&t);
}

static void gather__names_index_and_bound(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Gather", 1);
    op_test_input(&t, FERRY_S32, "3", D(1, 2, 3));
    op_test_input(&t, FERRY_S64, "1", D(3));
    assert_int_equal(op_test_eval(&t), FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(t.err.text, "index 3 is out of range: dimension 0 has 3 elements"));
    op_test_end(&t);
}

static void gather__refuses_indices_below_the_start(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Gather", 1);
    op_test_input(&t, FERRY_S32, "3", D(1, 2, 3));
    op_test_input(&t, FERRY_S64, "1", D(-4));
    assert_int_equal(op_test_eval(&t), FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(t.err.text, "index -4 is out of range"));
    op_test_end(&t);
}

static void gather_elements__along_the_last_axis(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "GatherElements", 1);
    op_test_input(&t, FERRY_F32, "2x2", D(1, 2, 3, 4));
    op_test_input(&t, FERRY_S64, "2x3", D(0, 0, 1, -1, 0, 0));
    op_test_int(&t, "axis", 1);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2x3", D(1, 1, 2, 4, 3, 3), 0);
    op_test_end(&t);
}

static void gather_elements__compares_the_other_dims(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "GatherElements", 1);
    op_test_input(&t, FERRY_F32, "2x2", NULL);
    op_test_input(&t, FERRY_S64, "3x2", NULL);
    op_test_int(&t, "axis", 1);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "dimension 0 of the indices is 3");
    op_test_end(&t);
}

static void gather_nd__within_a_batch(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "GatherND", 1);
    op_test_input(&t, FERRY_S32, "2x2x2", D(1, 2, 3, 4, 5, 6, 7, 8));
    op_test_input(&t, FERRY_S64, "2x1", D(1, 0));
    op_test_int(&t, "batch_dims", 1);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2x2", D(3, 4, 5, 6), 0);
    op_test_end(&t);
}

static void gather_nd__names_depth_and_rank(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "GatherND", 1);
    op_test_input(&t, FERRY_F32, "2x2", NULL);
    op_test_input(&t, FERRY_S64, "1x3", NULL);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "3 numbers each");
    op_test_end(&t);
}

static void scatter_elements__adds_repeated_updates(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ScatterElements", 1);
    op_test_input(&t, FERRY_F32, "3", D(1, 1, 1));
    op_test_input(&t, FERRY_S64, "3", D(1, 1, -1));
    op_test_input(&t, FERRY_F32, "3", D(10, 20, 30));
    op_test_string(&t, "reduction", "add");
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "3", D(1, 31, 31), 0);
    op_test_end(&t);
}

static void scatter_elements__takes_the_maximum_of_signed(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ScatterElements", 1);
    op_test_input(&t, FERRY_S8, "2", D(-5, -5));
    op_test_input(&t, FERRY_S64, "2", D(0, 1));
    op_test_input(&t, FERRY_S8, "2", D(-9, 3));
    op_test_string(&t, "reduction", "max");
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2", D(-5, 3), 0);
    op_test_end(&t);
}

static void scatter_nd__replaces_rows(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ScatterND", 1);
    op_test_input(&t, FERRY_S32, "2x2", D(1, 2, 3, 4));
    op_test_input(&t, FERRY_S64, "1x1", D(-1));
    op_test_input(&t, FERRY_S32, "1x2", D(8, 9));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2x2", D(1, 2, 8, 9), 0);
    op_test_end(&t);
}

static void scatter_nd__checks_the_updates(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ScatterND", 1);
    op_test_input(&t, FERRY_F32, "2x2", NULL);
    op_test_input(&t, FERRY_S64, "1x1", NULL);
    op_test_input(&t, FERRY_F32, "1x3", NULL);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "dimension 1 of the updates is 3");
    op_test_end(&t);
}

static void scatter__refuses_unknown_reductions(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ScatterND", 1);
    op_test_input(&t, FERRY_F32, "2", NULL);
    op_test_input(&t, FERRY_S64, "1x1", NULL);
    op_test_input(&t, FERRY_F32, "1", NULL);
    op_test_string(&t, "reduction", "xor");
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "reduction is 'xor'");
    op_test_end(&t);
}

static void scatter_nd__names_index_and_bound(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ScatterND", 1);
    op_test_input(&t, FERRY_F32, "2", D(0, 0));
    op_test_input(&t, FERRY_S64, "1x1", D(2));
    op_test_input(&t, FERRY_F32, "1", D(1));
    assert_int_equal(op_test_eval(&t), FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(t.err.text, "index 2 is out of range"));
    op_test_end(&t);
}

static void one_hot__is_off_outside_the_depth(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "OneHot", 1);
    op_test_input(&t, FERRY_S64, "3", D(1, -1, 5));
    op_test_input(&t, FERRY_S64, "", D(3));
    op_test_input(&t, FERRY_F32, "2", D(-1, 1));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "3x3", D(-1, 1, -1, -1, -1, 1, -1, -1, -1), 0);
    op_test_end(&t);
}

static void one_hot__along_the_first_axis(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "OneHot", 1);
    op_test_input(&t, FERRY_F32, "2", D(0, 1));
    op_test_input(&t, FERRY_F32, "", D(2));
    op_test_input(&t, FERRY_S8, "2", D(0, 5));
    op_test_int(&t, "axis", 0);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2x2", D(5, 0, 0, 5), 0);
    op_test_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gather__counts_from_the_end),
        cmocka_unit_test(gather__of_a_scalar_index_drops_the_axis),
        cmocka_unit_test(gather__names_index_and_bound),
        cmocka_unit_test(gather__refuses_indices_below_the_start),
        cmocka_unit_test(gather_elements__along_the_last_axis),
        cmocka_unit_test(gather_elements__compares_the_other_dims),
        cmocka_unit_test(gather_nd__within_a_batch),
        cmocka_unit_test(gather_nd__names_depth_and_rank),
        cmocka_unit_test(scatter_elements__adds_repeated_updates),
        cmocka_unit_test(scatter_elements__takes_the_maximum_of_signed),
        cmocka_unit_test(scatter_nd__replaces_rows),
        cmocka_unit_test(scatter_nd__checks_the_updates),
        cmocka_unit_test(scatter__refuses_unknown_reductions),
        cmocka_unit_test(scatter_nd__names_index_and_bound),
        cmocka_unit_test(one_hot__is_off_outside_the_depth),
        cmocka_unit_test(one_hot__along_the_first_axis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
