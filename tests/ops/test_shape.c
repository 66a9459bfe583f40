// SPDX-License-Identifier: Apache-2.0
// Corner cases of views and of tensors made from shapes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "support/op_test.h"

#define D(...) ((const double[]){__VA_ARGS__})

static void reshape__fills_in_zero_and_minus_one(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Reshape", 1);
    op_test_input(&t, FERRY_F32, "2x3x4", NULL);
    op_test_input(&t, FERRY_S64, "2", D(0, -1));
    assert_int_equal(op_test_infer(&t), FERRY_OK);
    assert_string_equal(op_test_dims(&t, 0), "2x12");
    op_test_end(&t);
}

static void reshape__cancels_an_unknown_dimension(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Reshape", 1);
    op_test_input(&t, FERRY_F32, "?x3x4", NULL);
    op_test_input(&t, FERRY_S64, "2", D(0, -1));
    assert_int_equal(op_test_infer(&t), FERRY_OK);
    assert_string_equal(op_test_dims(&t, 0), "?x12");
    op_test_end(&t);
}

static void reshape__of_an_empty_batch(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Reshape", 1);
    op_test_input(&t, FERRY_F32, "0x3x4", NULL);
    op_test_input(&t, FERRY_S64, "2", D(0, -1));
    assert_int_equal(op_test_infer(&t), FERRY_OK);
    assert_string_equal(op_test_dims(&t, 0), "0x12");
    op_test_end(&t);
}

static void reshape__takes_zero_literally_if_told(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Reshape", 1);
    op_test_input(&t, FERRY_F32, "0x3", NULL);
    op_test_input(&t, FERRY_S64, "2", D(3, 0));
    op_test_int(&t, "allowzero", 1);
    assert_int_equal(op_test_infer(&t), FERRY_OK);
    assert_string_equal(op_test_dims(&t, 0), "3x0");
    op_test_end(&t);
}

static void reshape__knows_the_rank_of_an_unknown_shape(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Reshape", 1);
    op_test_input(&t, FERRY_F32, "2x3", NULL);
    op_test_input(&t, FERRY_S64, "3", NULL);
    assert_int_equal(op_test_infer(&t), FERRY_OK);
    assert_string_equal(op_test_dims(&t, 0), "?x?x?");
    op_test_end(&t);
}

static void reshape__names_both_counts(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Reshape", 1);
    op_test_input(&t, FERRY_F32, "2x3", NULL);
    op_test_input(&t, FERRY_S64, "2", D(4, 2));
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "the input has 6 elements, the shape has 8");
    op_test_end(&t);
}

static void reshape__names_what_does_not_divide(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Reshape", 1);
    op_test_input(&t, FERRY_F32, "2x3", NULL);
    op_test_input(&t, FERRY_S64, "2", D(4, -1));
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "6 elements");
    op_test_end(&t);
}

static void reshape__refuses_two_open_dimensions(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Reshape", 1);
    op_test_input(&t, FERRY_F32, "2x3", NULL);
    op_test_input(&t, FERRY_S64, "2", D(-1, -1));
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "0 and 1 of the shape are both -1");
    op_test_end(&t);
}

static void reshape__refuses_zero_beyond_the_input(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Reshape", 1);
    op_test_input(&t, FERRY_F32, "6", NULL);
    op_test_input(&t, FERRY_S64, "2", D(6, 0));
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "the input has 1 dimensions");
    op_test_end(&t);
}

static void reshape__refuses_nine_dimensions(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Reshape", 1);
    op_test_input(&t, FERRY_F32, "1", NULL);
    op_test_input(&t, FERRY_S64, "9", D(1, 1, 1, 1, 1, 1, 1, 1, 1));
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "9");
    op_test_end(&t);
}

static void squeeze__drops_ones(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Squeeze", 1);
    op_test_input(&t, FERRY_F32, "1x3x1", NULL);
    assert_int_equal(op_test_infer(&t), FERRY_OK);
    assert_string_equal(op_test_dims(&t, 0), "3");
    op_test_end(&t);
}

static void squeeze__names_axis_and_size(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Squeeze", 1);
    op_test_input(&t, FERRY_F32, "1x3", NULL);
    op_test_input(&t, FERRY_S64, "1", D(1));
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "axis 1 has the size 3");
    op_test_end(&t);
}

static void unsqueeze__places_new_dimensions(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Unsqueeze", 1);
    op_test_input(&t, FERRY_F32, "3x4", NULL);
    op_test_input(&t, FERRY_S64, "2", D(-1, 0));
    assert_int_equal(op_test_infer(&t), FERRY_OK);
    assert_string_equal(op_test_dims(&t, 0), "1x3x4x1");
    op_test_end(&t);
}

static void unsqueeze__refuses_nine_dimensions(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Unsqueeze", 1);
    op_test_input(&t, FERRY_F32, "1x1x1x1x1x1x1x1", NULL);
    op_test_input(&t, FERRY_S64, "1", D(0));
    op_test_expect_error(&t, FERRY_ERR_UNSUPPORTED, "at most 8");
    op_test_end(&t);
}

static void flatten__at_the_end(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Flatten", 1);
    op_test_input(&t, FERRY_F32, "2x3x4", NULL);
    op_test_int(&t, "axis", 3);
    assert_int_equal(op_test_infer(&t), FERRY_OK);
    assert_string_equal(op_test_dims(&t, 0), "24x1");
    op_test_end(&t);
}

static void flatten__at_the_start(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Flatten", 1);
    op_test_input(&t, FERRY_F32, "2x3x4", NULL);
    op_test_int(&t, "axis", -3);
    assert_int_equal(op_test_infer(&t), FERRY_OK);
    assert_string_equal(op_test_dims(&t, 0), "1x24");
    op_test_end(&t);
}

static void shape__from_start_to_end(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Shape", 1);
    op_test_input(&t, FERRY_F32, "2x3x0", D(0));
    op_test_int(&t, "start", -2);
    op_test_int(&t, "end", 100);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2", D(3, 0), 0);
    op_test_end(&t);
}

static void size__of_a_scalar_is_one(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Size", 1);
    op_test_input(&t, FERRY_F32, "", D(0));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "scalar", D(1), 0);
    op_test_end(&t);
}

static void expand__repeats(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Expand", 1);
    op_test_input(&t, FERRY_S32, "2x1", D(1, 2));
    op_test_input(&t, FERRY_S64, "3", D(2, 1, 2));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2x2x2", D(1, 1, 2, 2, 1, 1, 2, 2), 0);
    op_test_end(&t);
}

static void expand__refuses_more_than_memory(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Expand", 1);
    op_test_input(&t, FERRY_F32, "1", NULL);
    op_test_input(&t, FERRY_S64, "2", D(4611686018427387904.0, 4));
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "more than memory");
    op_test_end(&t);
}

static void constant_of_shape__is_float_zero(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ConstantOfShape", 1);
    op_test_input(&t, FERRY_S64, "2", D(2, 1));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2x1", D(0, 0), 0);
    op_test_end(&t);
}

static void constant_of_shape__refuses_negative_sizes(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ConstantOfShape", 1);
    op_test_input(&t, FERRY_S64, "2", D(2, -1));
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "dimension 1 of the shape is -1");
    op_test_end(&t);
}

static void range__counts_down(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Range", 1);
    op_test_input(&t, FERRY_S64, "", D(5));
    op_test_input(&t, FERRY_S64, "", D(0));
    op_test_input(&t, FERRY_S64, "", D(-2));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "3", D(5, 3, 1), 0);
    op_test_end(&t);
}

static void range__of_floats_includes_a_part(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Range", 1);
    op_test_input(&t, FERRY_F32, "", D(0));
    op_test_input(&t, FERRY_F32, "", D(1));
    op_test_input(&t, FERRY_F32, "", D(0.4));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "3", D(0, 0.4, 0.8), 1e-6);
    op_test_end(&t);
}

static void range__may_be_empty(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Range", 1);
    op_test_input(&t, FERRY_S32, "", D(1));
    op_test_input(&t, FERRY_S32, "", D(0));
    op_test_input(&t, FERRY_S32, "", D(1));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "0", D(0), 0);
    op_test_end(&t);
}

static void range__refuses_no_step(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Range", 1);
    op_test_input(&t, FERRY_S32, "", D(1));
    op_test_input(&t, FERRY_S32, "", D(0));
    op_test_input(&t, FERRY_S32, "", D(0));
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "delta is 0");
    op_test_end(&t);
}

static void range__refuses_endless_ones(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Range", 1);
    op_test_input(&t, FERRY_S64, "", D(0));
    op_test_input(&t, FERRY_S64, "", D(9e18));
    op_test_input(&t, FERRY_S64, "", D(1));
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "endless");
    op_test_end(&t);
}

static void eye_like__shifts_the_diagonal(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "EyeLike", 1);
    op_test_input(&t, FERRY_F32, "2x3", D(0, 0, 0, 0, 0, 0));
    op_test_int(&t, "k", 1);
    op_test_int(&t, "dtype", 6);
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2x3", D(0, 1, 0, 0, 0, 1), 0);
    op_test_end(&t);
}

static void dropout__is_the_input_with_a_full_mask(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Dropout", 2);
    op_test_input(&t, FERRY_F32, "2", D(1, 2));
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    op_test_expect(&t, 0, "2", D(1, 2), 0);
    op_test_expect(&t, 1, "2", D(1, 1), 0);
    op_test_end(&t);
}

static void dropout__refuses_training(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Dropout", 1);
    op_test_input(&t, FERRY_F32, "2", NULL);
    op_test_input(&t, FERRY_F32, "", D(0.5));
    op_test_input(&t, FERRY_BOOL, "", D(1));
    op_test_expect_error(&t, FERRY_ERR_UNSUPPORTED, "training_mode");
    op_test_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reshape__fills_in_zero_and_minus_one),
        cmocka_unit_test(reshape__cancels_an_unknown_dimension),
        cmocka_unit_test(reshape__of_an_empty_batch),
        cmocka_unit_test(reshape__takes_zero_literally_if_told),
        cmocka_unit_test(reshape__knows_the_rank_of_an_unknown_shape),
        cmocka_unit_test(reshape__names_both_counts),
        cmocka_unit_test(reshape__names_what_does_not_divide),
        cmocka_unit_test(reshape__refuses_two_open_dimensions),
        cmocka_unit_test(reshape__refuses_zero_beyond_the_input),
        cmocka_unit_test(reshape__refuses_nine_dimensions),
        cmocka_unit_test(squeeze__drops_ones),
        cmocka_unit_test(squeeze__names_axis_and_size),
        cmocka_unit_test(unsqueeze__places_new_dimensions),
        cmocka_unit_test(unsqueeze__refuses_nine_dimensions),
        cmocka_unit_test(flatten__at_the_end),
        cmocka_unit_test(flatten__at_the_start),
        cmocka_unit_test(shape__from_start_to_end),
        cmocka_unit_test(size__of_a_scalar_is_one),
        cmocka_unit_test(expand__repeats),
        cmocka_unit_test(expand__refuses_more_than_memory),
        cmocka_unit_test(constant_of_shape__is_float_zero),
        cmocka_unit_test(constant_of_shape__refuses_negative_sizes),
        cmocka_unit_test(range__counts_down),
        cmocka_unit_test(range__of_floats_includes_a_part),
        cmocka_unit_test(range__may_be_empty),
        cmocka_unit_test(range__refuses_no_step),
        cmocka_unit_test(range__refuses_endless_ones),
        cmocka_unit_test(eye_like__shifts_the_diagonal),
        cmocka_unit_test(dropout__is_the_input_with_a_full_mask),
        cmocka_unit_test(dropout__refuses_training),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
