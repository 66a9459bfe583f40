// SPDX-License-Identifier: Apache-2.0
// The CUDA backend's data movers against the reference kernels.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "support/kernel_case.h"

#define TACTICS "move"
#define RUN kernel_cases_run_cuda
#include "kernels/move_cases.inc"

static void gather__takes_rows(void **unused)
{
    (void)unused;
    static const kernel_case cases[] = {
        {.domain = "", .tactics = "gather", .op = "Gather", .inputs = "%s:2x9x4 =s64:[1]", .attrs = "axis=1"},
        {.domain = "", .tactics = "gather", .op = "Gather", .inputs = "%s:7x5 =s64:2x3[0,-1,6,-7,2,2]"},
        {.domain = "", .tactics = "gather", .op = "Gather", .inputs = "=%s:7x16 =s32:4[0,-1,3,2]", .may_lack = 1},
        {.domain = "", .tactics = "gather", .op = "Gather", .inputs = "%s:3x7x16 s32:4@1", .attrs = "axis=-2"},
    };
    RUN_FOR_EVERY_SIZE(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {MOVE_TESTS, cmocka_unit_test(gather__takes_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
