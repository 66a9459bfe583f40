// SPDX-License-Identifier: Apache-2.0
// Strided copies against the reference kernels of the data movers.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "support/kernel_case.h"

#define TACTICS "strided_copy"
#define RUN kernel_cases_run
#include "kernels/move_cases.inc"

int main(void)
{
    const struct CMUnitTest tests[] = {MOVE_TESTS};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
