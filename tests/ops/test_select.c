// SPDX-License-Identifier: Apache-2.0
// Corner cases of choosing: ties, thresholds, nothing to choose.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "support/op_test.h"

#define D(...) ((const double[]){__VA_ARGS__})

static void top_k__takes_the_lower_index_of_equals(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "TopK", 2);
    op_test_input(&t, FERRY_F32, "5", D(1, 3, 3, NAN, 3));
    op_test_input(&t, FERRY_S64, "1", D(3));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "3", D(NAN, 3, 3), 0);
    op_test_expect(&t, 1, "3", D(3, 1, 2), 0);
    op_test_end(&t);
}

static void top_k__smallest_along_the_first_axis(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "TopK", 2);
    op_test_input(&t, FERRY_S32, "3x2", D(3, -1, 1, 5, 2, -7));
    op_test_input(&t, FERRY_S64, "1", D(2));
    op_test_int(&t, "axis", 0);
    op_test_int(&t, "largest", 0);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2x2", D(1, -7, 2, -1), 0);
    op_test_expect(&t, 1, "2x2", D(1, 2, 2, 0), 0);
    op_test_end(&t);
}

static void top_k__of_unsigned_64(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "TopK", 2);
    op_test_input(&t, FERRY_U64, "3", D(1, 9223372036854775808.0, 5));
    op_test_input(&t, FERRY_S64, "1", D(1));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "1", D(9223372036854775808.0), 0);
    op_test_expect(&t, 1, "1", D(1), 0);
    op_test_end(&t);
}

static void top_k__of_none(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "TopK", 2);
    op_test_input(&t, FERRY_F32, "2", D(1, 2));
    op_test_input(&t, FERRY_S64, "1", D(0));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "0", D(0), 0);
    op_test_expect(&t, 1, "0", D(0), 0);
    op_test_end(&t);
}

static void top_k__names_k_and_size(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "TopK", 2);
    op_test_input(&t, FERRY_F32, "2x3", NULL);
    op_test_input(&t, FERRY_S64, "1", D(4));
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "k is 4, axis 1 has 3 elements");
    op_test_end(&t);
}

static void top_k__of_unknown_k_is_bounded(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "TopK", 2);
    op_test_input(&t, FERRY_F32, "2x3", NULL);
    op_test_input(&t, FERRY_S64, "1", NULL);
    assert_int_equal(op_test_infer(&t), FERRY_OK);
    assert_string_equal(op_test_dims(&t, 0), "2x3");
    op_test_end(&t);
}

static void non_zero__lists_indices_by_dimension(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "NonZero", 1);
    op_test_input(&t, FERRY_F32, "2x2", D(0, NAN, -1, 0));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2x2", D(0, 1, 1, 0), 0);
    op_test_end(&t);
}

static void non_zero__of_nothing(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "NonZero", 1);
    op_test_input(&t, FERRY_BOOL, "2", D(0, 0));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "1x0", D(0), 0);
    op_test_end(&t);
}

static void nms__drops_overlaps_and_low_scores(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "NonMaxSuppression", 1);
    op_test_input(&t, FERRY_F32, "1x4x4", D(0, 0, 1, 1, 0, 0.1, 1, 1.1, 3, 3, 2, 2, 0, 5, 1, 6));
    op_test_input(&t, FERRY_F32, "1x1x4", D(0.8, 0.9, 0.7, 0.1));
    op_test_input(&t, FERRY_S64, "1", D(9));
    op_test_input(&t, FERRY_F32, "1", D(0.5));
    op_test_input(&t, FERRY_F32, "1", D(0.2));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2x3", D(0, 0, 1, 0, 0, 2), 0);
    op_test_end(&t);
}

static void nms__takes_the_lower_index_of_equals(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "NonMaxSuppression", 1);
    op_test_input(&t, FERRY_F32, "1x2x4", D(0, 0, 1, 1, 0, 0, 1, 1));
    op_test_input(&t, FERRY_F32, "1x1x2", D(0.5, 0.5));
    op_test_input(&t, FERRY_S64, "", D(9));
    op_test_input(&t, FERRY_F32, "", D(0.5));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "1x3", D(0, 0, 0), 0);
    op_test_end(&t);
}

static void nms__gives_nothing_without_a_limit(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "NonMaxSuppression", 1);
    op_test_input(&t, FERRY_F32, "1x1x4", D(0, 0, 1, 1));
    op_test_input(&t, FERRY_F32, "1x1x1", D(0.5));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "0x3", D(0), 0);
    op_test_end(&t);
}

static void nms__of_centre_boxes(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "NonMaxSuppression", 1);
    op_test_input(&t, FERRY_F32, "1x2x4", D(0.5, 0.5, 1, 1, 0.6, 0.5, 1, 1));
    op_test_input(&t, FERRY_F32, "1x1x2", D(0.5, 0.6));
    op_test_input(&t, FERRY_S64, "", D(9));
    op_test_input(&t, FERRY_F32, "", D(0.9));
    op_test_int(&t, "center_point_box", 1);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2x3", D(0, 0, 1, 0, 0, 0), 0);
    op_test_end(&t);
}

static void nms__is_bounded_by_boxes_and_classes(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "NonMaxSuppression", 1);
    op_test_input(&t, FERRY_F32, "2x10x4", NULL);
    op_test_input(&t, FERRY_F32, "2x3x10", NULL);
    op_test_input(&t, FERRY_S64, "", D(4));
    assert_int_equal(op_test_infer(&t), FERRY_OK);
    assert_string_equal(op_test_dims(&t, 0), "24x3");
    op_test_end(&t);
}

static void nms__refuses_boxes_of_five_numbers(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "NonMaxSuppression", 1);
    op_test_input(&t, FERRY_F32, "1x2x5", NULL);
    op_test_input(&t, FERRY_F32, "1x1x2", NULL);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "a box has 5 numbers");
    op_test_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(top_k__takes_the_lower_index_of_equals),
        cmocka_unit_test(top_k__smallest_along_the_first_axis),
        cmocka_unit_test(top_k__of_unsigned_64),
        cmocka_unit_test(top_k__of_none),
        cmocka_unit_test(top_k__names_k_and_size),
        cmocka_unit_test(top_k__of_unknown_k_is_bounded),
        cmocka_unit_test(non_zero__lists_indices_by_dimension),
        cmocka_unit_test(non_zero__of_nothing),
        cmocka_unit_test(nms__drops_overlaps_and_low_scores),
        cmocka_unit_test(nms__takes_the_lower_index_of_equals),
        cmocka_unit_test(nms__gives_nothing_without_a_limit),
        cmocka_unit_test(nms__of_centre_boxes),
        cmocka_unit_test(nms__is_bounded_by_boxes_and_classes),
        cmocka_unit_test(nms__refuses_boxes_of_five_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
