// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/op_test.h"

static const double ramp[] = {1, 2, 3, 4, 5, 6, 7, 8};

// Begins a resize of one row; give scales (a 1-D tensor of one) or sizes.
static void begin_row(op_test *t, const char *dims, const double *scale, const double *size)
{
    op_test_begin(t, "Resize", 1);
    op_test_input(t, FERRY_F32, dims, ramp);
    op_test_absent(t);
    if (scale)
        op_test_input(t, FERRY_F32, "1", scale);
    else
        op_test_absent(t);
    if (size) op_test_input(t, FERRY_S64, "1", size);
    OP_TEST_INTS(t, "axes", -1);
}

static void resize__linear_in_every_coordinate_mode(void **state)
{
    (void)state;
    static const struct {
        const char *mode;
        double scale, want[8];
        const char *dims;
    } cases[] = {
        {"half_pixel", 2, {1, 1.25, 1.75, 2.25, 2.75, 3}, "1x6"},
        {"pytorch_half_pixel", 2, {1, 1.25, 1.75, 2.25, 2.75, 3}, "1x6"},
        {"asymmetric", 2, {1, 1.5, 2, 2.5, 3, 3}, "1x6"},
        {"align_corners", 2, {1, 1.4, 1.8, 2.2, 2.6, 3}, "1x6"},
        {"pytorch_half_pixel", 0.34f, {1}, "1x1"},
        {"half_pixel", 0.34f, {1 + (0.5 / 0.34 - 0.5)}, "1x1"},
        {"half_pixel_symmetric", 0.5, {2}, "1x1"}, // 3 * 0.5 = 1.5 becomes 1: still the middle
    };
    for (size_t i = 0; i < FERRY_COUNT_OF(cases); i++) {
        op_test t;
        begin_row(&t, "1x3", &cases[i].scale, NULL);
        op_test_string(&t, "mode", "linear");
        op_test_string(&t, "coordinate_transformation_mode", cases[i].mode);
        op_test_expect(&t, 0, cases[i].dims, cases[i].want, 1e-6);
        op_test_end(&t);
    }
}

static void resize__nearest_rounds_as_asked(void **state)
{
    (void)state;
    static const struct {
        const char *rounding;
        double want[2];
    } cases[] = {{"round_prefer_floor", {1, 3}}, {"round_prefer_ceil", {2, 4}}, {"floor", {1, 3}}, {"ceil", {2, 4}}};
    for (size_t i = 0; i < FERRY_COUNT_OF(cases); i++) {
        op_test t;
        begin_row(&t, "1x4", (double[]){0.5}, NULL); // half pixel: at 0.5 and 2.5
        op_test_string(&t, "nearest_mode", cases[i].rounding);
        op_test_expect(&t, 0, "1x2", cases[i].want, 0);
        op_test_end(&t);
    }
}

// 8 / 1.6f is 4.9999996 in exact arithmetic: it means 5.
static void resize__nearest_forgives_the_last_bits_of_a_scale(void **state)
{
    (void)state;
    op_test t;
    begin_row(&t, "1x6", (double[]){1.6}, NULL);
    op_test_string(&t, "coordinate_transformation_mode", "asymmetric");
    op_test_string(&t, "nearest_mode", "floor");
    op_test_expect(&t, 0, "1x9", (double[]){1, 1, 2, 2, 3, 4, 4, 5, 6}, 0);
    op_test_end(&t);
}

static void resize__takes_sizes_beside_empty_scales(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Resize", 1);
    op_test_input(&t, FERRY_U8, "1x2", ramp);
    op_test_input(&t, FERRY_F32, "0", ramp);
    op_test_input(&t, FERRY_F32, "0", ramp);
    op_test_input(&t, FERRY_S64, "2", (double[]){1, 4});
    op_test_expect(&t, 0, "1x4", (double[]){1, 1, 2, 2}, 0);
    op_test_end(&t);
}

static void resize__keeps_the_aspect_ratio(void **state)
{
    (void)state;
    const char *policies[] = {"not_larger", "not_smaller"}, *dims[] = {"1x2x1x2", "1x3x1x3"};
    for (int i = 0; i < 2; i++) {
        op_test t;
        op_test_begin(&t, "Resize", 1);
        op_test_input(&t, FERRY_F32, "1x2x1x2", ramp);
        op_test_absent(&t);
        op_test_absent(&t);
        op_test_input(&t, FERRY_S64, "2", (double[]){2, 3});
        OP_TEST_INTS(&t, "axes", 1, 3);
        op_test_string(&t, "keep_aspect_ratio_policy", policies[i]);
        assert_int_equal(op_test_eval(&t), FERRY_OK);
        assert_string_equal(op_test_dims(&t, 0), dims[i]);
        op_test_end(&t);
    }
}

static void resize__crops_and_fills_what_lies_outside(void **state)
{
    (void)state;
    const char *modes[] = {"nearest", "linear", "cubic"};
    for (int i = 0; i < 3; i++) {
        op_test t;
        op_test_begin(&t, "Resize", 1);
        op_test_input(&t, FERRY_F32, "1x3", ramp);
        op_test_input(&t, FERRY_F32, "2", (double[]){-0.5, 1});
        op_test_absent(&t);
        op_test_input(&t, FERRY_S64, "1", (double[]){4});
        OP_TEST_INTS(&t, "axes", 1);
        op_test_string(&t, "mode", modes[i]);
        op_test_string(&t, "coordinate_transformation_mode", "tf_crop_and_resize");
        op_test_float(&t, "extrapolation_value", 99);
        op_test_expect(&t, 0, "1x4", (double[]){99, 1, 2, 3}, 1e-6);
        op_test_end(&t);
    }
}

static void resize__cubic_rounds_integers_and_stays_in_range(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Resize", 1);
    op_test_input(&t, FERRY_U8, "6", (double[]){0, 0, 0, 255, 255, 255});
    op_test_absent(&t);
    op_test_input(&t, FERRY_F32, "1", (double[]){2});
    op_test_string(&t, "mode", "cubic");
    assert_int_equal(op_test_eval(&t), FERRY_OK);
    const uint8_t *y = t.out[0].data;
    assert_int_equal(y[4], 0); // undershoots
    assert_int_equal(y[7], 255);
    assert_int_equal(y[5] + y[6], 255);
    op_test_end(&t);
}

static void resize__antialias_averages_what_it_drops(void **state)
{
    (void)state;
    op_test t;
    begin_row(&t, "1x4", (double[]){0.5}, NULL);
    op_test_string(&t, "mode", "linear");
    op_test_int(&t, "antialias", 1);
    op_test_int(&t, "exclude_outside", 1);
    // a triangle two wide to each side: weights 0.75 0.75 0.25 of 1.75 and mirrored
    op_test_expect(&t, 0, "1x2", (double[]){(0.75 + 1.5 + 0.75) / 1.75, (0.5 + 2.25 + 3) / 1.75}, 1e-6);
    op_test_end(&t);
}

static void resize__knows_what_it_can_of_unknown_dims(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "Resize", 1);
    op_test_input(&t, FERRY_F32, "?x3x10x?", NULL);
    op_test_absent(&t);
    op_test_input(&t, FERRY_F32, "4", (double[]){1, 1, 1.4f, 2});
    assert_int_equal(op_test_infer(&t), FERRY_OK);
    assert_string_equal(op_test_dims(&t, 0), "?x3x14x?"); // 10 * 1.4f in float, as ONNX does it
    op_test_end(&t);
    op_test_begin(&t, "Resize", 1);
    op_test_input(&t, FERRY_F32, "1x3x10x10", NULL);
    op_test_absent(&t);
    op_test_absent(&t);
    op_test_input(&t, FERRY_S64, "4", NULL);
    assert_int_equal(op_test_infer(&t), FERRY_OK);
    assert_string_equal(op_test_dims(&t, 0), "?x?x?x?");
    op_test_end(&t);
}

static void resize__refuses_what_makes_no_sense(void **state)
{
    (void)state;
    static const struct {
        const char *x;
        double scale;
        const char *text;
    } cases[] = {
        {"1x3", 0, "a scale is 0"},
        {"1x3", -1, "a scale is -1"},
        {"1x3", 1e30, "too many"},
        {"1x1000000", 1e16, "too many"},
        {"1x4096", 1e15, "more than memory can address"},
    };
    for (size_t i = 0; i < FERRY_COUNT_OF(cases); i++) {
        op_test t;
        op_test_begin(&t, "Resize", 1);
        op_test_input(&t, FERRY_F32, cases[i].x, NULL);
        op_test_absent(&t);
        op_test_input(&t, FERRY_F32, "1", &cases[i].scale);
        OP_TEST_INTS(&t, "axes", 1);
        op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, cases[i].text);
        op_test_end(&t);
    }
    op_test t;
    begin_row(&t, "1x4", (double[]){2}, (double[]){8});
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "both scales and sizes");
    op_test_end(&t);
    begin_row(&t, "1x4", NULL, NULL);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "neither scales nor sizes");
    op_test_end(&t);
    begin_row(&t, "1x4", NULL, (double[]){-8});
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "sizes[0] is -8");
    op_test_end(&t);
    begin_row(&t, "1x0", NULL, (double[]){8});
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "dimension 1 of 0 elements cannot become 8");
    op_test_end(&t);
    begin_row(&t, "1x4", (double[]){2}, NULL);
    op_test_string(&t, "mode", "quintic");
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "mode is 'quintic'");
    op_test_end(&t);
    op_test_begin(&t, "Resize", 1);
    op_test_input(&t, FERRY_F32, "1x2x3", NULL);
    op_test_absent(&t);
    op_test_input(&t, FERRY_F32, "2", NULL);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, "scales has 2 values, 3 dims are resized");
    op_test_end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resize__linear_in_every_coordinate_mode),
        cmocka_unit_test(resize__nearest_rounds_as_asked),
        cmocka_unit_test(resize__nearest_forgives_the_last_bits_of_a_scale),
        cmocka_unit_test(resize__takes_sizes_beside_empty_scales),
        cmocka_unit_test(resize__keeps_the_aspect_ratio),
        cmocka_unit_test(resize__crops_and_fills_what_lies_outside),
        cmocka_unit_test(resize__cubic_rounds_integers_and_stays_in_range),
        cmocka_unit_test(resize__antialias_averages_what_it_drops),
        cmocka_unit_test(resize__knows_what_it_can_of_unknown_dims),
        cmocka_unit_test(resize__refuses_what_makes_no_sense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
