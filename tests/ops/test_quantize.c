// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <cmocka.h>

#include "support/op_test.h"

static void quantize__rounds_half_to_even_and_saturates(void **state)
{
    (void)state;
    const double x[] = {0.5, 1.5, 2.5, -0.5, -1.5, 1e9, -1e9, NAN, INFINITY};
    static const struct {
        ferry_dtype dtype;
        double want[9];
    } cases[] = {
        {FERRY_S8, {0, 2, 2, 0, -2, 127, -128, 0, 127}},
        {FERRY_U8, {0, 2, 2, 0, 0, 255, 0, 0, 255}},
        {FERRY_S16, {0, 2, 2, 0, -2, 32767, -32768, 0, 32767}},
        {FERRY_U16, {0, 2, 2, 0, 0, 65535, 0, 0, 65535}},
    };
    for (size_t i = 0; i < FERRY_COUNT_OF(cases); i++) {
        op_test t;
        op_test_begin(&t, "QuantizeLinear", 1);
        op_test_input(&t, FERRY_F32, "9", x);
        op_test_input(&t, FERRY_F32, "", (double[]){1});
        op_test_input(&t, cases[i].dtype, "", (double[]){0});
        op_test_expect(&t, 0, "9", cases[i].want, 0);
        assert_int_equal(t.out_dtypes[0], cases[i].dtype);
        op_test_end(&t);
    }
}

// 0.35 / 0.1 is 3.4999998 for float's nearest numbers, but its float quotient is 3.5: the tie goes to 4.
static void quantize__divides_in_the_type_of_the_scale(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "QuantizeLinear", 1);
    op_test_input(&t, FERRY_F32, "1", (double[]){(double)0.35f});
    op_test_input(&t, FERRY_F32, "", (double[]){(double)0.1f});
    op_test_expect(&t, 0, "1", (double[]){rint((double)(0.35f / 0.1f))}, 0);
    op_test_end(&t);
}

static void quantize__goes_along_an_axis_and_by_blocks(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "QuantizeLinear", 1);
    op_test_input(&t, FERRY_F32, "2x2", (double[]){10, 10, 10, 10});
    op_test_input(&t, FERRY_F32, "2", (double[]){1, 2});
    op_test_input(&t, FERRY_U8, "2", (double[]){0, 100});
    op_test_expect(&t, 0, "2x2", (double[]){10, 105, 10, 105}, 0);
    op_test_end(&t);
    op_test_begin(&t, "QuantizeLinear", 1);
    op_test_input(&t, FERRY_F32, "3x2", (double[]){8, 8, 8, 8, 8, 8});
    op_test_input(&t, FERRY_F32, "2x2", (double[]){1, 2, 4, 8});
    op_test_int(&t, "axis", 0);
    op_test_int(&t, "block_size", 2);
    op_test_expect(&t, 0, "3x2", (double[]){8, 4, 8, 4, 2, 1}, 0); // the last block is half empty
    op_test_end(&t);
}

static void dequantize__is_exact_in_the_type_of_the_scale(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "DequantizeLinear", 1);
    op_test_input(&t, FERRY_S8, "2x2", (double[]){-128, 127, 0, 1});
    op_test_input(&t, FERRY_F16, "2", (double[]){0.5, 2});
    op_test_input(&t, FERRY_S8, "2", (double[]){-128, 127});
    op_test_int(&t, "axis", -2);
    op_test_expect(&t, 0, "2x2", (double[]){0, 127.5, -254, -252}, 0);
    assert_int_equal(t.out_dtypes[0], FERRY_F16);
    op_test_end(&t);
    op_test_begin(&t, "DequantizeLinear", 1);
    op_test_input(&t, FERRY_S32, "1", (double[]){-2147483648.0});
    op_test_input(&t, FERRY_F32, "", (double[]){0.5});
    op_test_expect(&t, 0, "1", (double[]){-1073741824.0}, 0);
    op_test_end(&t);
}

static void dynamic_quantize__keeps_zero_in_its_range(void **state)
{
    (void)state;
    const double x[] = {1, 2, 3};
    op_test t;
    op_test_begin(&t, "DynamicQuantizeLinear", 3);
    op_test_input(&t, FERRY_F32, "3", x);
    op_test_expect(&t, 1, "scalar", (double[]){(double)(3.0f / 255.0f)}, 0);
    assert_int_equal(((uint8_t *)t.out[2].data)[0], 0);
    assert_int_equal(((uint8_t *)t.out[0].data)[2], 255);
    op_test_end(&t);
    op_test_begin(&t, "DynamicQuantizeLinear", 3);
    op_test_input(&t, FERRY_F32, "3", (double[]){0, 0, 0});
    op_test_expect(&t, 0, "3", (double[]){0, 0, 0}, 0);
    op_test_end(&t);
}

static void quantize__says_what_does_not_fit(void **state)
{
    (void)state;
    static const struct {
        const char *x, *scale, *zero;
        int64_t axis, block;
        const char *text;
    } cases[] = {
        {"2x3", "2", "2", 1, 0, "there are 2 scales, axis 1 of the input has 3"},
        {"2x3", "3", "2", 1, 0, "the scale is 3, the zero point 2"},
        {"2x3", "3", "3", 2, 0, "axis 2 is out of range"},
        {"2x3", "2x3", "2x3", 1, 0, "2"},
        {"2x3", "2x1", "2x1", 1, 2, "dimension 1 of the scale is 1, blocks of 2 along axis 1 need 2"},
        {"2x3", "2", "2", 1, 2, "the scale has 1 dims, blocks need 2"},
        {"2x3", "2x1", "2x1", 1, -1, "block_size is -1"},
    };
    for (size_t i = 0; i < FERRY_COUNT_OF(cases); i++) {
        op_test t;
        op_test_begin(&t, "DequantizeLinear", 1);
        op_test_input(&t, FERRY_U8, cases[i].x, NULL);
        op_test_input(&t, FERRY_F32, cases[i].scale, NULL);
        op_test_input(&t, FERRY_U8, cases[i].zero, NULL);
        op_test_int(&t, "axis", cases[i].axis);
        op_test_int(&t, "block_size", cases[i].block);
        op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, cases[i].text);
        op_test_end(&t);
    }
    op_test t;
    op_test_begin(&t, "QuantizeLinear", 1);
    op_test_input(&t, FERRY_F32, "2", NULL);
    op_test_input(&t, FERRY_F32, "", NULL);
    op_test_int(&t, "output_dtype", 17);
    op_test_expect_error(&t, FERRY_ERR_UNSUPPORTED, "8-bit floats");
    op_test_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantize__rounds_half_to_even_and_saturates),
        cmocka_unit_test(quantize__divides_in_the_type_of_the_scale),
        cmocka_unit_test(quantize__goes_along_an_axis_and_by_blocks),
        cmocka_unit_test(dequantize__is_exact_in_the_type_of_the_scale),
        cmocka_unit_test(dynamic_quantize__keeps_zero_in_its_range),
        cmocka_unit_test(quantize__says_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
