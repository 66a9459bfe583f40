// SPDX-License-Identifier: Apache-2.0
// GridSample's corner cases; ONNX's vectors hold the plain ones.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "support/op_test.h"

static void grid_sample__looks_nowhere_for_what_is_no_number(void **state)
{
    (void)state;
    static const char *const paddings[] = {"zeros", "border", "reflection"};
    static const char *const modes[] = {"linear", "nearest", "cubic"};
    for (size_t p = 0; p < 3; p++)
        for (size_t m = 0; m < 3; m++) {
            op_test t;
            op_test_begin(&t, "GridSample", 1);
            op_test_input(&t, FERRY_F32, "1x1x1x2", (double[]){3, 3});
            op_test_input(&t, FERRY_F64, "1x1x4x2", (double[]){NAN, 0, INFINITY, 0, -1e300, 0, 1e300, NAN});
            op_test_string(&t, "mode", modes[m]);
            op_test_string(&t, "padding_mode", paddings[p]);
            // In the picture or its mirror everything is 3.
            op_test_expect(&t, 0, "1x1x1x4", p ? (double[]){3, 3, 3, 3} : (double[]){0, 0, 0, 0}, 1e-6);
            op_test_end(&t);
        }
}

static void grid_sample__moves_integers_whole(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "GridSample", 1);
    op_test_input(&t, FERRY_U8, "1x2x3", (double[]){1, 2, 3, 250, 251, 252});
    op_test_input(&t, FERRY_F32, "1x4x1", (double[]){-1, 0, 1, 3});
    op_test_string(&t, "mode", "nearest");
    op_test_int(&t, "align_corners", 1);
    op_test_expect(&t, 0, "1x2x4", (double[]){1, 2, 3, 0, 250, 251, 252, 0}, 0);
    op_test_end(&t);
}

static void grid_sample__interpolates_a_volume(void **state)
{
    (void)state;
    op_test t;
    op_test_begin(&t, "GridSample", 1);
    op_test_input(&t, FERRY_F32, "1x1x2x2x2", (double[]){0, 1, 2, 3, 4, 5, 6, 7});
    // x is the last dimension, z the first
    op_test_input(&t, FERRY_F32, "1x1x1x3x3", (double[]){0, 0, 0, 1, -1, -1, -1, -1, 0.5});
    op_test_int(&t, "align_corners", 1);
    op_test_expect(&t, 0, "1x1x1x1x3", (double[]){3.5, 1, 3}, 1e-6);
    op_test_end(&t);
}

static void refuse(const char *x, const char *grid, const char *mode, const char *text)
{
    static const double zeros[64];
    op_test t;
    op_test_begin(&t, "GridSample", 1);
    op_test_input(&t, FERRY_F32, x, zeros);
    op_test_input(&t, FERRY_F32, grid, zeros);
    op_test_string(&t, "mode", mode);
    op_test_expect_error(&t, FERRY_ERR_BAD_MODEL, text);
    op_test_end(&t);
}

static void grid_sample__refuses_what_does_not_fit(void **state)
{
    (void)state;
    refuse("1x1x2x2", "1x1x2x3", "linear", "positions of 3 numbers");
    refuse("1x1x2x2", "1x2x2", "linear", "grid 3");
    refuse("1x1x2x2", "2x1x1x2", "linear", "batch");
    refuse("1x1x0x2", "1x1x1x2", "linear", "empty");
    refuse("1x1", "1x1", "linear", "2 dims");
    refuse("1x1x2x2", "1x1x1x2", "quintic", "quintic");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grid_sample__looks_nowhere_for_what_is_no_number),
        cmocka_unit_test(grid_sample__moves_integers_whole),
        cmocka_unit_test(grid_sample__interpolates_a_volume),
        cmocka_unit_test(grid_sample__refuses_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
