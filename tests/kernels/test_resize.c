// SPDX-License-Identifier: Apache-2.0
// Resizing and other copies by tables against the reference kernels: floats within rounding, all else to the bit.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/kernel_case.h"

#define LINEAR .domain = "", .op = "Resize", .tactics = "resize_linear", .of_largest = 1e-6
#define QLINEAR .domain = "ferry", .op = "QResize", .tactics = "resize_linear"
#define SUM .domain = "", .op = "Resize", .tactics = "resize_add"
#define MAPPED .domain = "", .tactics = "mapped_copy"

static void linear_resize__matches_reference(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {LINEAR, .inputs = "f32:1x19x9x7 - - =s64:4[1,19,33,20]",
         .attrs = "mode=linear coordinate_transformation_mode=align_corners"},
        {LINEAR, .inputs = "f32:2x3x9x7 - =f32:4[1,1,2,2]", .attrs = "mode=linear"},
        {LINEAR, .inputs = "f32:2x40x9x7 - =f32:4[1,1,0.6,1.7]",
         .attrs = "mode=linear coordinate_transformation_mode=asymmetric"},
        {LINEAR, .inputs = "f32:1x5x1x1 - - =s64:4[1,5,6,7]",
         .attrs = "mode=linear coordinate_transformation_mode=pytorch_half_pixel"},
        {LINEAR, .inputs = "f32:1x5x8x8 - - =s64:4[1,5,8,3]", .attrs = "mode=linear"},
        {LINEAR, .inputs = "f16:1x5x8x8 - - =s64:4[1,5,8,3]", .attrs = "mode=linear", .of_each = 2e-3},
    };
    KERNEL_CASES_RUN(cases);
}

static void linear_resize_s8__matches_reference_to_the_bit(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {QLINEAR, .inputs = "s8:1x19x9x7 - =s64:4[1,19,33,20]",
         .attrs = "coordinate_transformation_mode=align_corners mult=0.9"},
        {QLINEAR, .inputs = "s8:2x3x9x7 =f32:4[1,1,2,2]", .attrs = "mult=1.3"},
        {QLINEAR, .inputs = "s8:2x3x9x7 =f32:4[1,1,2,2]", .attrs = "mult=1.3 shift=38.5"},
        {QLINEAR, .inputs = "s8:2x40x9x7 =f32:4[1,1,2,2]", .attrs = "mult=0.9 shift=-12.75"},
        {QLINEAR, .inputs = "s8:2x67x9x7 =f32:4[1,1,0.6,1.7]",
         .attrs = "coordinate_transformation_mode=asymmetric mult=1"},
        {QLINEAR, .inputs = "s8:1x5x1x1 - =s64:4[1,5,6,7]",
         .attrs = "coordinate_transformation_mode=pytorch_half_pixel mult=1"},
    };
    KERNEL_CASES_RUN(cases);
}

static void nearest_resize__moves_every_type(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {MAPPED, .op = "Resize", .inputs = "f32:1x19x9x7 - =f32:4[1,1,2,2]",
         .attrs = "mode=nearest coordinate_transformation_mode=asymmetric nearest_mode=floor"},
        {MAPPED, .op = "Resize", .inputs = "s8:1x19x9x7 - =f32:4[1,1,2,2]"},
        {MAPPED, .op = "Resize", .inputs = "f16:2x3x9x7 - - =s64:4[2,3,4,20]"},
        {MAPPED, .op = "Resize", .inputs = "f32:5x6 - - =s64:2[11,3]"},
        {MAPPED, .op = "Resize", .inputs = "s64:1x2x3 - - =s64:3[1,2,7]"},
    };
    KERNEL_CASES_RUN(cases);
}

static void sum_with_a_resized_tensor__matches_reference(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {SUM, .inputs = "f32:1x19x9x7 - =f32:4[1,1,2,2]", .plus = "f32:1x19x18x14",
         .attrs = "mode=nearest coordinate_transformation_mode=asymmetric nearest_mode=floor"},
        {SUM, .inputs = "f32:2x96x5x3 - - =s64:4[2,96,13,4]", .plus = "f32:2x96x13x4"},
        {SUM, .inputs = "f32:3x1x7 - =f32:3[1,1,1.5]", .plus = "f32:3x1x10"},
        {SUM, .inputs = "f32:1x33x2x3x4 - =f32:5[1,1,2,1,3]", .plus = "f32:1x33x4x3x12"},
        {SUM, .inputs = "bf16:1x40x4x5 - =f32:4[1,1,2,2]", .plus = "bf16:1x40x8x10"},
        {SUM, .inputs = "bf16:2x3x4x5 - =f32:4[1,1,0.5,3]", .plus = "bf16:2x3x2x15"},
    };
    KERNEL_CASES_RUN(cases);
}

static void pad_and_gather__follow_their_tables(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {MAPPED, .op = "Pad", .inputs = "f32:1x5x6x7 =s64:8[0,0,1,2,0,0,3,4]", .attrs = "mode=edge"},
        {MAPPED, .op = "Pad", .inputs = "s8:1x5x6x7 =s64:8[0,1,2,-2,0,0,3,4]", .attrs = "mode=reflect"},
        {MAPPED, .op = "Pad", .inputs = "f32:5x6 =s64:4[3,9,1,-2]", .attrs = "mode=wrap"},
        {MAPPED, .op = "Gather", .inputs = "f32:2x5x6x7 =s64:4[0,-1,3,3]", .attrs = "axis=1"},
        {MAPPED, .op = "Gather", .inputs = "s8:2x5x6x7 =s64:3[6,0,2]", .attrs = "axis=-1"},
        {MAPPED, .op = "Gather", .inputs = "f32:20x33 =s64:5[19,0,2,-20,4]"},
    };
    KERNEL_CASES_RUN(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_resize__matches_reference),
        cmocka_unit_test(linear_resize_s8__matches_reference_to_the_bit),
        cmocka_unit_test(nearest_resize__moves_every_type),
        cmocka_unit_test(sum_with_a_resized_tensor__matches_reference),
        cmocka_unit_test(pad_and_gather__follow_their_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
