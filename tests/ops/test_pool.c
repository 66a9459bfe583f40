// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <cmocka.h>

#include "support/op_test.h"

static const double ramp[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static void max_pool__names_places_row_and_column_first(void **state)
{
    (void)state;
    for (int order = 0; order < 2; order++) {
        op_test t;
        op_test_begin(&t, "MaxPool", 2);
        op_test_input(&t, FERRY_F32, "1x2x2x2", ramp);
        OP_TEST_INTS(&t, "kernel_shape", 1, 2);
        op_test_int(&t, "storage_order", order);
        op_test_expect(&t, 0, "1x2x2x1", (double[]){2, 4, 6, 8}, 0);
        op_test_end(&t);
        op_test_begin(&t, "MaxPool", 2);
        op_test_input(&t, FERRY_F32, "1x2x2x2", ramp);
        OP_TEST_INTS(&t, "kernel_shape", 1, 2);
        op_test_int(&t, "storage_order", order);
        op_test_expect(&t, 1, "1x2x2x1", order ? (double[]){2, 3, 6, 7} : (double[]){1, 3, 5, 7}, 0);
        op_test_end(&t);
    }
}

static void max_pool__takes_the_first_of_equals_and_keeps_nan(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "MaxPool", 2);
    op_test_input(&t, FERRY_F32, "1x1x6", (double[]){5, 5, NAN, 1, -INFINITY, -INFINITY});
    OP_TEST_INTS(&t, "kernel_shape", 2);
    OP_TEST_INTS(&t, "strides", 2);
    op_test_expect(&t, 0, "1x1x3", (double[]){5, NAN, -INFINITY}, 0);
    for (int i = 0; i < 3; i++) assert_int_equal(((int64_t *)t.out[1].data)[i], 2 * i);
    op_test_end(&t);
}

static void max_pool__pools_bytes_as_they_are(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "MaxPool", 1);
    op_test_input(&t, FERRY_S8, "1x1x4", (double[]){-128, -3, 127, -128});
    OP_TEST_INTS(&t, "kernel_shape", 2);
    OP_TEST_INTS(&t, "pads", 1, 1);
    op_test_expect(&t, 0, "1x1x5", (double[]){-128, -3, 127, 127, -128}, 0);
    op_test_end(&t);
    op_test_begin(&t, "GlobalMaxPool", 1);
    op_test_input(&t, FERRY_S8, "1x2x2", (double[]){-128, -3, -128, -128});
    op_test_expect(&t, 0, "1x2x1", (double[]){-3, -128}, 0);
    op_test_end(&t);
}

// A last window may reach beyond the end; so may the only one.
static void pool__keeps_one_window_larger_than_the_input_in_ceil_mode(void **state)
{
    (void)state;
    static const char *const ops[] = {"MaxPool", "AveragePool"};
    for (int i = 0; i < 2; i++) {
        op_test t;
        op_test_begin(&t, ops[i], 1);
        op_test_input(&t, FERRY_F32, "1x1x4", ramp);
        OP_TEST_INTS(&t, "kernel_shape", 3);
        OP_TEST_INTS(&t, "dilations", 2);
        OP_TEST_INTS(&t, "strides", 2);
        op_test_int(&t, "ceil_mode", 1);
        op_test_expect(&t, 0, "1x1x1", (double[]){i == 0 ? 3 : 2}, 0);
        op_test_end(&t);
    }
    op_test t; // a stride of 1 rounds nothing up
    op_test_begin(&t, "MaxPool", 1);
    op_test_input(&t, FERRY_F32, "1x1x4", ramp);
    OP_TEST_INTS(&t, "kernel_shape", 5);
    op_test_int(&t, "ceil_mode", 1);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "a window of 5 does not fit an input of 4");
    op_test_end(&t);
}

// A window that ceil_mode adds must begin inside the input or its front pads.
static void pool__drops_a_last_window_that_begins_in_the_end_pads(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "MaxPool", 1);
    op_test_input(&t, FERRY_F32, "1x1x3", ramp);
    OP_TEST_INTS(&t, "kernel_shape", 1);
    OP_TEST_INTS(&t, "strides", 2);
    OP_TEST_INTS(&t, "pads", 0, 1);
    op_test_int(&t, "ceil_mode", 1);
    op_test_expect(&t, 0, "1x1x2", (double[]){1, 3}, 0);
    op_test_end(&t);
    op_test_begin(&t, "MaxPool", 1);
    op_test_input(&t, FERRY_F32, "1x1x4", ramp);
    OP_TEST_INTS(&t, "kernel_shape", 3);
    OP_TEST_INTS(&t, "strides", 2);
    op_test_int(&t, "ceil_mode", 1);
    op_test_expect(&t, 0, "1x1x2", (double[]){3, 4}, 0);
    op_test_end(&t);
}

static void average_pool__divides_by_what_counts(void **state)
{
    (void)state;
    for (int count = 0; count < 2; count++) {
        op_test t;
        op_test_begin(&t, "AveragePool", 1);
        op_test_input(&t, FERRY_F64, "1x1x5", ramp);
        OP_TEST_INTS(&t, "kernel_shape", count ? 2 : 3);
        OP_TEST_INTS(&t, "strides", 2);
        OP_TEST_INTS(&t, "pads", count, count);
        op_test_int(&t, "count_include_pad", count);
        op_test_int(&t, "ceil_mode", 1);
        // without pads: windows 123, 345; with pads of one: (0 1)(2 3)(4 5) and then (0), which begins in the end pad
        op_test_expect(&t, 0, count ? "1x1x3" : "1x1x2", count ? (double[]){0.5, 2.5, 4.5} : (double[]){2, 4}, 0);
        op_test_end(&t);
    }
}

static void average_pool__counts_no_more_than_the_pads_in_a_cut_window(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "AveragePool", 1);
    op_test_input(&t, FERRY_F32, "1x1x4", ramp);
    OP_TEST_INTS(&t, "kernel_shape", 3);
    OP_TEST_INTS(&t, "strides", 2);
    OP_TEST_INTS(&t, "pads", 1, 0);
    op_test_int(&t, "count_include_pad", 1);
    op_test_int(&t, "ceil_mode", 1);
    // (0 1 2) / 3, (2 3 4) / 3; a third would begin at 4 of 5
    op_test_expect(&t, 0, "1x1x2", (double[]){1, 3}, 0);
    op_test_end(&t);
    op_test_begin(&t, "AveragePool", 1);
    op_test_input(&t, FERRY_F32, "1x1x4", ramp);
    OP_TEST_INTS(&t, "kernel_shape", 3);
    OP_TEST_INTS(&t, "strides", 2);
    op_test_int(&t, "count_include_pad", 1);
    op_test_int(&t, "ceil_mode", 1);
    op_test_expect(&t, 0, "1x1x2", (double[]){2, 3.5}, 0); // the last window has two elements, not three
    op_test_end(&t);
}

static void average_pool__counts_pads_beyond_int64(void **state)
{
    (void)state;
    const int64_t most = INT32_MAX;
    op_test t;
    op_test_begin(&t, "AveragePool", 1);
    op_test_input(&t, FERRY_F32, "1x1x1x1x1", (double[]){0});
    OP_TEST_INTS(&t, "kernel_shape", most, most, most);
    OP_TEST_INTS(&t, "pads", most, most, most, 0, 0, 0);
    op_test_int(&t, "count_include_pad", 1);
    op_test_expect(&t, 0, "1x1x2x2x2", (double[8]){0}, 0);
    op_test_end(&t);
}

static void average_pool__dilates(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "AveragePool", 1);
    op_test_input(&t, FERRY_F32, "1x1x5", ramp);
    OP_TEST_INTS(&t, "kernel_shape", 2);
    OP_TEST_INTS(&t, "dilations", 3);
    OP_TEST_INTS(&t, "pads", 1, 0);
    op_test_expect(&t, 0, "1x1x3", (double[]){3, 2.5, 3.5}, 0);
    op_test_end(&t);
}

static void lp_pool__takes_the_norm_of_absolute_values(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "LpPool", 1);
    op_test_input(&t, FERRY_F32, "1x1x3", (double[]){3, -4, 0});
    OP_TEST_INTS(&t, "kernel_shape", 2);
    op_test_expect(&t, 0, "1x1x2", (double[]){5, 4}, 1e-12);
    op_test_end(&t);
    op_test_begin(&t, "LpPool", 1);
    op_test_input(&t, FERRY_F32, "1x1x3", NULL);
    OP_TEST_INTS(&t, "kernel_shape", 2);
    op_test_int(&t, "p", 0);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "p is 0");
    op_test_end(&t);
}

static void global_pools__reduce_planes_of_any_rank(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "GlobalAveragePool", 1);
    op_test_input(&t, FERRY_F16, "1x2x2x2x1", ramp);
    op_test_expect(&t, 0, "1x2x1x1x1", (double[]){2.5, 6.5}, 0);
    op_test_end(&t);
    op_test_begin(&t, "GlobalMaxPool", 1);
    op_test_input(&t, FERRY_F32, "1x2x2", (double[]){-3, -2, NAN, 9});
    op_test_expect(&t, 0, "1x2x1", (double[]){-2, NAN}, 0);
    op_test_end(&t);
    op_test_begin(&t, "GlobalLpPool", 1);
    op_test_input(&t, FERRY_F32, "1x1x2", (double[]){-3, 4});
    op_test_int(&t, "p", 1);
    op_test_expect(&t, 0, "1x1x1", (double[]){7}, 1e-12);
    op_test_end(&t);
}

static void pool__refuses_what_makes_no_sense(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "AveragePool", 1);
    op_test_input(&t, FERRY_F32, "1x1x4x4", NULL);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "kernel_shape is missing");
    op_test_end(&t);
    op_test_begin(&t, "MaxPool", 1);
    op_test_input(&t, FERRY_F32, "1x1x4x4", NULL);
    OP_TEST_INTS(&t, "kernel_shape", 5, 2);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "a window of 5 does not fit an input of 4");
    op_test_end(&t);
    op_test_begin(&t, "MaxPool", 1);
    op_test_input(&t, FERRY_F32, "1x1x4x4", NULL);
    OP_TEST_INTS(&t, "kernel_shape", 2, 0);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "kernel_shape[1] is 0");
    op_test_end(&t);
    op_test_begin(&t, "AveragePool", 1);
    op_test_input(&t, FERRY_S32, "1x1x4x4", NULL);
    OP_TEST_INTS(&t, "kernel_shape", 2, 2);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "int32");
    op_test_end(&t);
    op_test_begin(&t, "MaxPool", 1);
    op_test_input(&t, FERRY_F32, "1x1x9223372036854775807x4", NULL);
    OP_TEST_INTS(&t, "kernel_shape", 2, 2);
    OP_TEST_INTS(&t, "pads", 1, 1, 1, 1);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "too large");
    op_test_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(max_pool__names_places_row_and_column_first),
        cmocka_unit_test(max_pool__takes_the_first_of_equals_and_keeps_nan),
        cmocka_unit_test(max_pool__pools_bytes_as_they_are),
        cmocka_unit_test(pool__keeps_one_window_larger_than_the_input_in_ceil_mode),
        cmocka_unit_test(pool__drops_a_last_window_that_begins_in_the_end_pads),
        cmocka_unit_test(average_pool__divides_by_what_counts),
        cmocka_unit_test(average_pool__counts_no_more_than_the_pads_in_a_cut_window),
        cmocka_unit_test(average_pool__counts_pads_beyond_int64),
        cmocka_unit_test(average_pool__dilates),
        cmocka_unit_test(lp_pool__takes_the_norm_of_absolute_values),
        cmocka_unit_test(global_pools__reduce_planes_of_any_rank),
        cmocka_unit_test(pool__refuses_what_makes_no_sense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
