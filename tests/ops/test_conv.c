// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/op_test.h"

static const double ramp[] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
                              20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39};
static const double ones[64] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

static void conv__sums_windows_for_every_float_type(void **state)
{
    (void)state;
    const ferry_dtype dtypes[] = {FERRY_F32, FERRY_F16, FERRY_BF16, FERRY_F64};
    for (size_t i = 0; i < FERRY_COUNT_OF(dtypes); i++) {
        op_test t;
        op_test_begin(&t, "Conv", 1);
        op_test_input(&t, dtypes[i], "1x1x3x3", ramp);
        op_test_input(&t, dtypes[i], "1x1x3x3", ones);
        op_test_input(&t, dtypes[i], "1", (double[]){0.5});
        OP_TEST_INTS(&t, "pads", 1, 1, 1, 1);
        // 36.5 needs 7 bits: exact in bfloat16 too
        op_test_expect(&t, 0, "1x1x3x3", (double[]){8.5, 15.5, 12.5, 21.5, 36.5, 27.5, 20.5, 33.5, 24.5}, 0);
        op_test_end(&t);
    }
}

static void conv__strides_dilates_and_groups_in_one_dimension(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Conv", 1);
    op_test_input(&t, FERRY_F32, "1x2x7", ramp);
    op_test_input(&t, FERRY_F32, "2x1x2", (double[]){1, 10, 1, -1});
    op_test_int(&t, "group", 2);
    OP_TEST_INTS(&t, "strides", 2);
    OP_TEST_INTS(&t, "dilations", 3);
    OP_TEST_INTS(&t, "pads", 1, 0);
    op_test_expect(&t, 0, "1x2x3", (double[]){20, 41, 63, -9, -3, -3}, 0);
    op_test_end(&t);
}

static void conv__pads_the_same_way_as_onnx_says(void **state)
{
    (void)state;
    const char *modes[] = {"SAME_UPPER", "SAME_LOWER", "VALID"};
    const double expected[3][2] = {{1, 5}, {0, 3}, {1, 0}};
    for (int i = 0; i < 3; i++) {
        op_test t;
        op_test_begin(&t, "Conv", 1);
        op_test_input(&t, FERRY_F32, "1x1x4", ramp);
        op_test_input(&t, FERRY_F32, "1x1x3", i < 2 ? (double[]){1, 1, 0} : (double[]){0, 1, 0});
        OP_TEST_INTS(&t, "strides", 2);
        op_test_string(&t, "auto_pad", modes[i]);
        op_test_expect(&t, 0, i < 2 ? "1x1x2" : "1x1x1", expected[i], 0);
        op_test_end(&t);
    }
}

static void conv__passes_unknown_dims_through(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Conv", 1);
    op_test_input(&t, FERRY_F32, "?x3x?x20", NULL);
    op_test_input(&t, FERRY_F32, "8x3x3x3", NULL);
    OP_TEST_INTS(&t, "strides", 2, 2);
    assert_int_equal(op_test_infer(&t), FERRY_OK);
    assert_string_equal(op_test_dims(&t, 0), "?x8x?x9");
    op_test_end(&t);

    op_test_begin(&t, "Conv", 1);
    op_test_input(&t, FERRY_F32, "unknown", NULL);
    op_test_input(&t, FERRY_F32, "8x3x3x3", NULL);
    assert_int_equal(op_test_infer(&t), FERRY_OK);
    assert_string_equal(op_test_dims(&t, 0), "?x8x?x?");
    op_test_end(&t);
}

typedef struct bad_conv {
    const char *x, *w, *name;
    int32_t count;
    int64_t values[6];
    const char *text;
} bad_conv;

static void conv__says_what_is_wrong_with_both_numbers(void **state)
{
    (void)state;
    static const bad_conv cases[] = {
        {"1x3x8x8", "4x3x3x3", "kernel_shape", 3, {3, 3, 3}, "kernel_shape has 3 values, the input has 2 spatial dims"},
        {"1x3x8x8", "4x3x3x3", "strides", 2, {0, 1}, "strides[0] is 0"},
        {"1x3x8x8", "4x3x3x3", "strides", 2, {1, -5}, "strides[1] is -5"},
        {"1x3x8x8", "4x3x3x3", "dilations", 2, {1, INT64_MAX}, "dilations[1] is"},
        {"1x3x8x8", "4x3x3x3", "dilations", 2, {1, INT32_MAX}, "a window of 4294967295 does not fit an input of 8"},
        {"1x3x8x8", "4x3x3x3", "pads", 2, {1, 1}, "pads has 2 values"},
        {"1x3x8x8", "4x3x3x3", "pads", 4, {-1, 0, 0, 0}, "pads[0] is -1"},
        {"1x3x8x8", "4x3x5x5", "kernel_shape", 2, {3, 3}, "kernel_shape[0] is 3, the weights have 5"},
        {"1x3x2x8", "4x3x3x3", "strides", 2, {1, 1}, "a window of 3 does not fit an input of 2"},
        {"1x3x8x8",
         "4x2x3x3",
         "strides",
         2,
         {1, 1},
         "the input has 3 channels, the weights have 2 in each of 1 groups"},
        {"1x3x8", "4x3x3x3", "strides", 2, {1, 1}, "the input has 3 dims, the weights have 4"},
        {"3x8", "3x3", "strides", 2, {1, 1}, "the input has 2 dims"},
        {"1x3x8x8", "4x3x0x3", "strides", 2, {1, 1}, "kernel of 0"},
    };
    for (size_t i = 0; i < FERRY_COUNT_OF(cases); i++) {
        op_test t;
        op_test_begin(&t, "Conv", 1);
        op_test_input(&t, FERRY_F32, cases[i].x, NULL);
        op_test_input(&t, FERRY_F32, cases[i].w, NULL);
        op_test_ints(&t, cases[i].name, cases[i].count, cases[i].values);
        op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, cases[i].text);
        op_test_end(&t);
    }
}

static void conv__refuses_four_spatial_dims_and_mixed_types(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Conv", 1);
    op_test_input(&t, FERRY_F32, "1x1x2x2x2x2", NULL);
    op_test_input(&t, FERRY_F32, "1x1x1x1x1x1", NULL);
    op_test_expect_error(&t, FERRY_ERR_UNSUPPORTED, "4 spatial dims");
    op_test_end(&t);
    op_test_begin(&t, "Conv", 1);
    op_test_input(&t, FERRY_F32, "1x1x2x2", NULL);
    op_test_input(&t, FERRY_F16, "1x1x1x1", NULL);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "float16");
    op_test_end(&t);
}

static void conv_transpose__is_the_adjoint_with_stride_and_output_padding(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ConvTranspose", 1);
    op_test_input(&t, FERRY_F32, "1x1x3", (double[]){1, 2, 3});
    op_test_input(&t, FERRY_F32, "1x1x2", (double[]){1, 10});
    OP_TEST_INTS(&t, "strides", 3);
    OP_TEST_INTS(&t, "output_padding", 1);
    op_test_expect(&t, 0, "1x1x9", (double[]){1, 10, 0, 2, 20, 0, 3, 30, 0}, 0);
    op_test_end(&t);
}

static void conv_transpose__keeps_groups_apart(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ConvTranspose", 1);
    op_test_input(&t, FERRY_F64, "1x2x2", (double[]){1, 2, 3, 4});
    op_test_input(&t, FERRY_F64, "2x2x1", (double[]){1, 10, 100, 1000});
    op_test_int(&t, "group", 2);
    op_test_expect(&t, 0, "1x4x2", (double[]){1, 2, 10, 20, 300, 400, 3000, 4000}, 0);
    op_test_end(&t);
}

static void conv_transpose__cuts_to_the_shape_asked_for(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ConvTranspose", 1);
    op_test_input(&t, FERRY_F32, "1x1x3", (double[]){1, 2, 3});
    op_test_input(&t, FERRY_F32, "1x1x3", ones);
    OP_TEST_INTS(&t, "strides", 2);
    OP_TEST_INTS(&t, "output_shape", 6);
    op_test_string(&t, "auto_pad", "SAME_UPPER");
    op_test_expect(&t, 0, "1x1x6", (double[]){1, 1, 3, 2, 5, 3}, 0);
    op_test_end(&t);
    op_test_begin(&t, "ConvTranspose", 1);
    op_test_input(&t, FERRY_F32, "1x1x3", NULL);
    op_test_input(&t, FERRY_F32, "1x1x3", NULL);
    OP_TEST_INTS(&t, "pads", 4, 4);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "pads of 4 and 4 cut more than the 5 elements there are");
    op_test_end(&t);
}

static void conv_integer__subtracts_zero_points(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "ConvInteger", 1);
    op_test_input(&t, FERRY_U8, "1x1x3", (double[]){3, 255, 1});
    op_test_input(&t, FERRY_S8, "2x1x2", (double[]){1, 2, -128, 127});
    op_test_input(&t, FERRY_U8, "", (double[]){1});
    op_test_input(&t, FERRY_S8, "2", (double[]){0, -1});
    OP_TEST_INTS(&t, "pads", 1, 0);
    op_test_expect(&t, 0, "1x2x3", (double[]){4, 510, 254, 256, 32258, -32258}, 0);
    op_test_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv__sums_windows_for_every_float_type),
        cmocka_unit_test(conv__strides_dilates_and_groups_in_one_dimension),
        cmocka_unit_test(conv__pads_the_same_way_as_onnx_says),
        cmocka_unit_test(conv__passes_unknown_dims_through),
        cmocka_unit_test(conv__says_what_is_wrong_with_both_numbers),
        cmocka_unit_test(conv__refuses_four_spatial_dims_and_mixed_types),
        cmocka_unit_test(conv_transpose__is_the_adjoint_with_stride_and_output_padding),
        cmocka_unit_test(conv_transpose__keeps_groups_apart),
        cmocka_unit_test(conv_transpose__cuts_to_the_shape_asked_for),
        cmocka_unit_test(conv_integer__subtracts_zero_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
