// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/report.h"
#include "base/status.h"

static void within__keeps_the_inner_reason(void **state)
{
    (void)state;
    ferry_error err;
    assert_int_equal(ferry_fail(&err, FERRY_ERR_BAD_MODEL, "kernel_shape has %d values", 3), FERRY_ERR_BAD_MODEL);
    assert_int_equal(ferry_within(&err, FERRY_ERR_BAD_MODEL, "node '%s'", "conv1"), FERRY_ERR_BAD_MODEL);
    assert_string_equal(err.text, "node 'conv1': kernel_shape has 3 values");
    assert_int_equal(ferry_fail(NULL, FERRY_ERR_IO, "x"), FERRY_ERR_IO);
    assert_int_equal(ferry_within(NULL, FERRY_ERR_IO, "x"), FERRY_ERR_IO);
}

static void within__cuts_a_long_text_and_stays_terminated(void **state)
{
    (void)state;
    ferry_error err;
    char longest[2000];
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = 0;
    ferry_fail(&err, FERRY_ERR_IO, "%s", longest);
    ferry_within(&err, FERRY_ERR_IO, "%s", longest);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

static void report__lists_errors_and_counts_the_rest(void **state)
{
    (void)state;
    ferry_report report;
    ferry_error err;
    ferry_report_init(&report, ferry_heap_default());
    assert_int_equal(ferry_report_status(&report, FERRY_ERR_UNSUPPORTED, &err), FERRY_OK);
    ferry_report_add(&report, FERRY_SEVERITY_WARNING, "model", "only a warning");
    assert_int_equal(ferry_report_status(&report, FERRY_ERR_UNSUPPORTED, &err), FERRY_OK);
    for (int i = 0; i < 100; i++) ferry_report_add(&report, FERRY_SEVERITY_ERROR, "node", "operator %d is unknown", i);
    assert_int_equal(ferry_report_status(&report, FERRY_ERR_UNSUPPORTED, &err), FERRY_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "node: operator 0 is unknown\nnode: operator 1 is unknown"));
    assert_non_null(strstr(err.text, " more)"));
    ferry_report_deinit(&report);
}

static void arena__aligns_and_zeroes(void **state)
{
    (void)state;
    ferry_arena arena;
    ferry_arena_init(&arena, ferry_heap_default());
    for (size_t bytes = 0; bytes < 20000; bytes += 333) {
        char *p = ferry_arena_alloc(&arena, bytes);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < bytes; i++) assert_int_equal(p[i], 0);
        memset(p, 0xff, bytes);
    }
    assert_null(ferry_arena_alloc_array(&arena, SIZE_MAX / 2, 3));
    assert_string_equal(ferry_arena_printf(&arena, "%s-%d", "a", 7), "a-7");
    ferry_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(within__keeps_the_inner_reason),
        cmocka_unit_test(within__cuts_a_long_text_and_stays_terminated),
        cmocka_unit_test(report__lists_errors_and_counts_the_rest),
        cmocka_unit_test(arena__aligns_and_zeroes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
