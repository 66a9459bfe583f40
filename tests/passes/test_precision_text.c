// SPDX-License-Identifier: Apache-2.0
// Numeric plans as text: read back and replayed to the bit; those that do not fit are refused with the first
// difference.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "support/precision_case.h"

static void text__is_read_back_and_replayed_to_the_bit(void **state)
{
    (void)state;
    precision_case f = {0};
    ferry_arena arena;
    const char *text = NULL, *again = NULL;
    ferry_arena_init(&arena, ferry_heap_default());
    precision_build_everything(&f.model);
    precision_prepare(&f);
    f.options.int8 = f.options.zero_points = true;
    precision_lower(&f);
    assert_int_equal(ferry_numeric_plan_write(&f.plan, &f.passed, &arena, &text, &f.err), FERRY_OK);
    ferry_numeric_plan read;
    const ferry_status s = ferry_numeric_plan_read(text, strlen(text), &f.passed, &read, &f.err);
    if (s != FERRY_OK) fail_msg("%s", f.err.text);
    assert_int_equal(ferry_numeric_plan_write(&read, &f.passed, &arena, &again, &f.err), FERRY_OK);
    assert_string_equal(text, again);
    ferry_graph replayed;
    assert_int_equal(ferry_lower(&f.passed, &read, &replayed, &f.report, &f.err), FERRY_OK);
    expect_same_outputs(&f.lowered, &replayed, 1.0f, 9, 0.0);
    ferry_graph_deinit(&replayed);
    ferry_numeric_plan_deinit(&read);
    ferry_arena_deinit(&arena);
    precision_done(&f);
}

static void replace(char *text, const char *from, const char *to)
{
    char *at = strstr(text, from);
    assert_non_null(at);
    assert_int_equal(strlen(from), strlen(to));
    memcpy(at, to, strlen(to));
}

static void text__that_does_not_fit_names_the_first_difference(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *expected;
    } cases[] = {{"\"name\": \"pw\"", "\"name\": \"pq\"", "'pq'"},
                 {"\"name\": \"cat\", \"type\"", "\"name\": \"car\", \"type\"", "'car' where this model has 'cat'"},
                 {"\"absorbed\": \"sum + r\"", "\"absorbed\": \"sum + s\"", "sum + s"},
                 {"\"type\": \"int8\"", "\"type\": \"intx\"", "'intx'"},
                 {"\"precision\": \"int8\"", "\"precision\": \"int9\"", "int9"},
                 {"plan\": 1", "plan\": 2", "ferry_numeric_plan"},
                 {"\"nodes\"", "\"nodez\"", "nodez"}};
    precision_case f = {0};
    ferry_arena arena;
    const char *text = NULL;
    ferry_arena_init(&arena, ferry_heap_default());
    precision_build_everything(&f.model);
    precision_prepare(&f);
    f.options.int8 = true;
    precision_lower(&f);
    assert_int_equal(ferry_numeric_plan_write(&f.plan, &f.passed, &arena, &text, &f.err), FERRY_OK);
    for (size_t i = 0; i < FERRY_COUNT_OF(cases); i++) {
        char *changed = ferry_arena_strdup(&arena, text);
        ferry_numeric_plan read;
        replace(changed, cases[i].from, cases[i].to);
        assert_int_equal(ferry_numeric_plan_read(changed, strlen(changed), &f.passed, &read, &f.err),
                         FERRY_ERR_BAD_DATA);
        if (!strstr(f.err.text, cases[i].expected)) fail_msg("%s", f.err.text);
        ferry_numeric_plan_deinit(&read);
    }
    // A plan that is well-formed but contradicts itself is refused by lowering, never obeyed.
    static const struct {
        const char *from, *to;
    } lies[] = {{"\"type\": \"int8\"", "\"type\": \"bool\""},
                {"\"name\": \"max\", \"type\": \"int8\"", "\"name\": \"max\", \"type\": \"none\""},
                {"\"op\": \"Softmax\", \"absorbed\": \"\", \"precision\": \"fp32\"",
                 "\"op\": \"Softmax\", \"absorbed\": \"\", \"precision\": \"int8\""}};
    for (size_t i = 0; i < FERRY_COUNT_OF(lies); i++) {
        char *changed = ferry_arena_strdup(&arena, text);
        ferry_numeric_plan read;
        ferry_graph out;
        replace(changed, lies[i].from, lies[i].to);
        assert_int_equal(ferry_numeric_plan_read(changed, strlen(changed), &f.passed, &read, &f.err), FERRY_OK);
        assert_int_equal(ferry_lower(&f.passed, &read, &out, NULL, &f.err), FERRY_ERR_BAD_DATA);
        ferry_numeric_plan_deinit(&read);
    }
    ferry_arena_deinit(&arena);
    precision_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text__is_read_back_and_replayed_to_the_bit),
        cmocka_unit_test(text__that_does_not_fit_names_the_first_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
