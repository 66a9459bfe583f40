// SPDX-License-Identifier: Apache-2.0
// Corner cases of moving elements: negative steps, clamping, uneven parts.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "support/op_test.h"

#define D(...) ((const double[]){__VA_ARGS__})

static void slice__goes_backwards(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Slice", 1);
    op_test_input(&t, FERRY_S32, "2x3", D(1, 2, 3, 4, 5, 6));
    op_test_input(&t, FERRY_S64, "2", D(-1, -1));
    op_test_input(&t, FERRY_S64, "2", D(-9223372036854775807.0, 0));
    op_test_input(&t, FERRY_S64, "2", D(0, 1));
    op_test_input(&t, FERRY_S64, "2", D(-1, -2));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2x1", D(6, 3), 0);
    op_test_end(&t);
}

static void slice__clamps_ends(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Slice", 1);
    op_test_input(&t, FERRY_S32, "4", D(1, 2, 3, 4));
    op_test_input(&t, FERRY_S64, "1", D(-100));
    op_test_input(&t, FERRY_S64, "1", D(9223372036854774784.0));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "4", D(1, 2, 3, 4), 0);
    op_test_end(&t);
}

static void slice__of_a_huge_step_takes_one(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Slice", 1);
    op_test_input(&t, FERRY_S32, "4", D(1, 2, 3, 4));
    op_test_input(&t, FERRY_S64, "1", D(1));
    op_test_input(&t, FERRY_S64, "1", D(100));
    op_test_input(&t, FERRY_S64, "1", D(0));
    op_test_input(&t, FERRY_S64, "1", D(9223372036854774784.0));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "1", D(2), 0);
    op_test_end(&t);
}

static void slice__may_be_empty(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Slice", 1);
    op_test_input(&t, FERRY_S32, "4", D(1, 2, 3, 4));
    op_test_input(&t, FERRY_S64, "1", D(3));
    op_test_input(&t, FERRY_S64, "1", D(1));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "0", D(0), 0);
    op_test_end(&t);
}

static void slice__refuses_step_zero(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Slice", 1);
    op_test_input(&t, FERRY_S32, "4", NULL);
    op_test_input(&t, FERRY_S64, "1", D(0));
    op_test_input(&t, FERRY_S64, "1", D(1));
    op_test_input(&t, FERRY_S64, "1", D(0));
    op_test_input(&t, FERRY_S64, "1", D(0));
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "the step along axis 0 is 0");
    op_test_end(&t);
}

static void slice__compares_its_lists(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Slice", 1);
    op_test_input(&t, FERRY_S32, "4x4", NULL);
    op_test_input(&t, FERRY_S64, "2", D(0, 0));
    op_test_input(&t, FERRY_S64, "1", D(1));
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "starts has 2 entries, ends has 1");
    op_test_end(&t);
}

static void slice__of_unknown_ends_keeps_other_dims(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Slice", 1);
    op_test_input(&t, FERRY_S32, "4x5", NULL);
    op_test_input(&t, FERRY_S64, "1", NULL);
    op_test_input(&t, FERRY_S64, "1", NULL);
    op_test_input(&t, FERRY_S64, "1", D(1));
    assert_int_equal(op_test_infer(&t), FERRY_OK);
    assert_string_equal(op_test_dims(&t, 0), "4x?");
    op_test_end(&t);
}

static void concat__along_the_middle(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Concat", 1);
    op_test_input(&t, FERRY_S8, "2x1", D(1, 2));
    op_test_input(&t, FERRY_S8, "2x0", D(0));
    op_test_input(&t, FERRY_S8, "2x2", D(3, 4, 5, 6));
    op_test_int(&t, "axis", 1);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2x3", D(1, 3, 4, 2, 5, 6), 0);
    op_test_end(&t);
}

static void concat__names_both_sizes(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Concat", 1);
    op_test_input(&t, FERRY_F32, "2x3", NULL);
    op_test_input(&t, FERRY_F32, "4x3", NULL);
    op_test_int(&t, "axis", 1);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "dimension 0 of input 1 is 4");
    op_test_end(&t);
}

static void split__leaves_the_last_part_smaller(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Split", 3);
    op_test_input(&t, FERRY_F32, "5", D(1, 2, 3, 4, 5));
    op_test_int(&t, "num_outputs", 3);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2", D(1, 2), 0);
    op_test_expect(&t, 1, "2", D(3, 4), 0);
    op_test_expect(&t, 2, "1", D(5), 0);
    op_test_end(&t);
}

static void split__by_sizes(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Split", 2);
    op_test_input(&t, FERRY_S16, "1x3", D(1, 2, 3));
    op_test_input(&t, FERRY_S64, "2", D(0, 3));
    op_test_int(&t, "axis", -1);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "1x0", D(0), 0);
    op_test_expect(&t, 1, "1x3", D(1, 2, 3), 0);
    op_test_end(&t);
}

static void split__names_sum_and_axis(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Split", 2);
    op_test_input(&t, FERRY_F32, "5", NULL);
    op_test_input(&t, FERRY_S64, "2", D(2, 2));
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "add up to 4, the axis has 5");
    op_test_end(&t);
}

static void transpose__reverses_by_default(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Transpose", 1);
    op_test_input(&t, FERRY_U8, "2x3", D(1, 2, 3, 4, 5, 6));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "3x2", D(1, 4, 2, 5, 3, 6), 0);
    op_test_end(&t);
}

static void transpose__refuses_a_dimension_twice(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Transpose", 1);
    op_test_input(&t, FERRY_F32, "2x3", NULL);
    op_test_ints(&t, "perm", 2, (int64_t[]){1, 1});
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "axis 1 is named twice");
    op_test_end(&t);
}

static void tile__repeats_each_dimension(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Tile", 1);
    op_test_input(&t, FERRY_S64, "1x2", D(1, 2));
    op_test_input(&t, FERRY_S64, "2", D(2, 2));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2x4", D(1, 2, 1, 2, 1, 2, 1, 2), 0);
    op_test_end(&t);
}

static void tile__refuses_overflow(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Tile", 1);
    op_test_input(&t, FERRY_F32, "4", NULL);
    op_test_input(&t, FERRY_S64, "1", D(4611686018427387904.0));
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "too large");
    op_test_end(&t);
}

static void depth_to_space__crd(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "DepthToSpace", 1);
    op_test_input(&t, FERRY_S32, "1x4x1x1", D(1, 2, 3, 4));
    op_test_int(&t, "blocksize", 2);
    op_test_string(&t, "mode", "CRD");
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "1x1x2x2", D(1, 2, 3, 4), 0);
    op_test_end(&t);
}

static void depth_to_space__names_channels_and_block(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "DepthToSpace", 1);
    op_test_input(&t, FERRY_F32, "1x6x1x1", NULL);
    op_test_int(&t, "blocksize", 2);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "dimension 1 is 6, not a multiple of 4");
    op_test_end(&t);
}

static void trilu__below_the_diagonal(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Trilu", 1);
    op_test_input(&t, FERRY_S32, "2x3", D(1, 2, 3, 4, 5, 6));
    op_test_input(&t, FERRY_S64, "", D(-1));
    op_test_int(&t, "upper", 0);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2x3", D(0, 0, 0, 4, 0, 0), 0);
    op_test_end(&t);
}

static void reverse_sequence__by_length(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ReverseSequence", 1);
    op_test_input(&t, FERRY_S32, "3x2", D(1, 2, 3, 4, 5, 6));
    op_test_input(&t, FERRY_S64, "2", D(3, 1));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "3x2", D(5, 2, 3, 4, 1, 6), 0);
    op_test_end(&t);
}

static void compress__without_axis_is_flat(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Compress", 1);
    op_test_input(&t, FERRY_S32, "2x2", D(1, 2, 3, 4));
    op_test_input(&t, FERRY_BOOL, "3", D(0, 1, 1));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2", D(2, 3), 0);
    op_test_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slice__goes_backwards),
        cmocka_unit_test(slice__clamps_ends),
        cmocka_unit_test(slice__of_a_huge_step_takes_one),
        cmocka_unit_test(slice__may_be_empty),
        cmocka_unit_test(slice__refuses_step_zero),
        cmocka_unit_test(slice__compares_its_lists),
        cmocka_unit_test(slice__of_unknown_ends_keeps_other_dims),
        cmocka_unit_test(concat__along_the_middle),
        cmocka_unit_test(concat__names_both_sizes),
        cmocka_unit_test(split__leaves_the_last_part_smaller),
        cmocka_unit_test(split__by_sizes),
        cmocka_unit_test(split__names_sum_and_axis),
        cmocka_unit_test(transpose__reverses_by_default),
        cmocka_unit_test(transpose__refuses_a_dimension_twice),
        cmocka_unit_test(tile__repeats_each_dimension),
        cmocka_unit_test(tile__refuses_overflow),
        cmocka_unit_test(depth_to_space__crd),
        cmocka_unit_test(depth_to_space__names_channels_and_block),
        cmocka_unit_test(trilu__below_the_diagonal),
        cmocka_unit_test(reverse_sequence__by_length),
        cmocka_unit_test(compress__without_axis_is_flat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
