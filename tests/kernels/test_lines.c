// SPDX-License-Identifier: Apache-2.0
// Operators over whole lines (softmax, normalisations, reductions, ArgMax) against the reference kernels.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/kernel_case.h"

#define LINES .domain = "", .tactics = "lines_f32", .of_largest = 2e-6

static void softmax__matches_reference_along_any_axis(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {LINES, .op = "Softmax", .inputs = "f32:2x1000@20"},
        {LINES, .op = "Softmax", .inputs = "f32:2x21x9x7@8", .attrs = "axis=1"},
        {LINES, .op = "Softmax", .inputs = "f32:2x21x9x7@8", .attrs = "axis=-1"},
        {LINES, .op = "Softmax", .inputs = "f32:2x21x9x37@8", .attrs = "axis=2"},
        {LINES, .op = "Softmax", .inputs = "f32:7x1"},
        {LINES, .op = "LogSoftmax", .inputs = "f32:2x21x9x7@8", .attrs = "axis=1"},
        {LINES, .op = "LogSoftmax", .inputs = "f32:5x33@8"},
        {LINES, .op = "Softmax", .inputs = "f16:2x33@8", .of_each = 2e-3},
    };
    KERNEL_CASES_RUN(cases);
}

static void normalisations__match_reference(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {LINES, .op = "InstanceNormalization", .inputs = "f32:2x19x9x7@4 =f32:19 =f32:19"},
        {LINES, .op = "InstanceNormalization", .inputs = "f32:1x40x33@4 =f32:40 =f32:40", .attrs = "epsilon=0.01"},
        {LINES, .op = "BatchNormalization",
         .inputs = "f32:2x19x9x7@4 =f32:19 =f32:19 =f32:19 =f32:19[1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9,2]"},
        {LINES, .op = "BatchNormalization", .inputs = "f32:2x3x40@4 =f32:3 =f32:3 =f32:3 =f32:3[1,0.5,0.1]"},
        {LINES, .op = "BatchNormalization", .inputs = "f32:2x3x1x1@4 =f32:3 =f32:3 =f32:3 =f32:3[1,0.5,0.1]"},
        // What is not known beforehand is left to the reference.
        {LINES, .may_lack = 1, .op = "BatchNormalization", .inputs = "f32:2x3x5 f32:3 =f32:3 =f32:3 =f32:3[1,2,3]"},
        {LINES, .may_lack = 1, .op = "BatchNormalization", .inputs = "f32:2x3x5 =f32:3 =f32:3 f32:3 =f32:3[1,2,3]"},
        {LINES, .may_lack = 1, .op = "BatchNormalization", .inputs = "f32:2x3x5 =f32:3 =f32:3 =f32:3 f32:3@0"},
    };
    KERNEL_CASES_RUN(cases);
}

static void reductions__match_reference(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {LINES, .op = "ReduceMean", .inputs = "f32:2x19x9x7 =s64:2[2,3]"},
        {LINES, .op = "ReduceMean", .inputs = "f32:2x19x9x7 =s64:2[-1,-2]", .attrs = "keepdims=0"},
        {LINES, .op = "ReduceSum", .inputs = "f32:2x19x9x7 =s64:1[1]"},
        {LINES, .op = "ReduceSum", .inputs = "f32:2x19x9x7 =s64:1[1]", .attrs = "keepdims=0"},
        {LINES, .op = "ReduceMax", .inputs = "f32:2x19x9x7 =s64:1[-1]"},
        {LINES, .op = "ReduceMax", .inputs = "f32:2x40x9x7 =s64:2[2,3]"},
        {LINES, .op = "ReduceMax", .inputs = "f32:3x4[-3,-inf,-2,-5,-inf,-inf,-inf,-inf,-0,-1,-2,-3] =s64:1[1]"},
        {LINES, .op = "ReduceMax", .inputs = "f32:3x4[1,nan,inf,2,1,-nan,2,3,-nan,-inf,-1,-2] =s64:1[1]"},
        {LINES, .op = "ReduceMean", .inputs = "f32:5x700"},
        {LINES, .op = "ReduceMean", .inputs = "f32:1x7x64 =s64:1[1]"},
        {LINES, .op = "GlobalAveragePool", .inputs = "f32:2x67x7x7"},
        {LINES, .op = "GlobalAveragePool", .inputs = "f32:1x5x300"},
    };
    KERNEL_CASES_RUN(cases);
}

static void arg_max__finds_the_first_or_last_largest(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {LINES, .op = "ArgMax", .inputs = "f32:1x21x9x17", .attrs = "axis=1"},
        {LINES, .op = "ArgMax", .inputs = "f32:2x3x9x7", .attrs = "axis=1 keepdims=0"},
        {LINES, .op = "ArgMax", .inputs = "f32:1x4x6[1,3,3,2,3,1,0,0,0,0,0,0,5,4,3,2,1,5,1,2,3,4,5,6]",
         .attrs = "axis=-1"},
        {LINES, .op = "ArgMax", .inputs = "f32:1x4x6[1,3,3,2,3,1,0,0,0,0,0,0,5,4,3,2,1,5,1,2,3,4,5,6]",
         .attrs = "axis=-1 select_last_index=1"},
        {LINES, .op = "ArgMax", .inputs = "f32:1x4x6[1,3,3,2,3,1,0,0,0,0,0,0,5,4,3,2,1,5,1,2,3,4,5,6]",
         .attrs = "axis=1 select_last_index=1"},
        {LINES, .op = "ArgMax", .inputs = "f32:7"},
        {LINES, .op = "ArgMax", .inputs = "bf16:5x6", .attrs = "axis=1"},
    };
    KERNEL_CASES_RUN(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(softmax__matches_reference_along_any_axis),
        cmocka_unit_test(normalisations__match_reference),
        cmocka_unit_test(reductions__match_reference),
        cmocka_unit_test(arg_max__finds_the_first_or_last_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
