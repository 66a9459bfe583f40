// SPDX-License-Identifier: Apache-2.0
// Names of classes from text and JSON.
#include "decode_support.h"

#include <stdio.h>

#include "support/failing_heap.h"

static ferry_labels *parse(const char *text)
{
    ferry_labels *l = NULL;
    ferry_error error;
    assert_ok(ferry_labels_parse(text, strlen(text), NULL, &l, &error), &error);
    return l;
}

static void assert_labels(const char *text, size_t count, const char *const *names)
{
    ferry_labels *l = parse(text);
    assert_int_equal(ferry_labels_count(l), count);
    for (size_t i = 0; i < count; i++) {
        const char *name = ferry_labels_get(l, (int64_t)i);
        if (!names[i]) {
            assert_null(name);
        } else {
            assert_non_null(name);
            assert_string_equal(name, names[i]);
        }
    }
    assert_null(ferry_labels_get(l, (int64_t)count));
    assert_null(ferry_labels_get(l, -1));
    // What is written is read again the same.
    char *written = NULL, *again = NULL;
    assert_int_equal(ferry_labels_to_text(l, NULL, &written, NULL), FERRY_OK);
    ferry_labels *second = parse(written);
    assert_int_equal(ferry_labels_count(second), count);
    assert_int_equal(ferry_labels_to_text(second, NULL, &again, NULL), FERRY_OK);
    assert_string_equal(written, again);
    ferry_text_free(NULL, written);
    ferry_text_free(NULL, again);
    ferry_labels_destroy(second);
    ferry_labels_destroy(l);
}

static void labels__reads_lines(void **state)
{
    (void)state;
    assert_labels("cat\ndog\n", 2, (const char *const[]){"cat", "dog"});
    assert_labels("cat\r\ndog", 2, (const char *const[]){"cat", "dog"});
    assert_labels("\xef\xbb\xbf"
                  "cat\n\ndog  \t\n\n\r\n",
                  3, (const char *const[]){"cat", NULL, "dog"});
    assert_labels("traffic light\n\xc3\x84pfel \xe2\x82\xac \xf0\x9f\x90\x88\n", 2,
                  (const char *const[]){"traffic light", "\xc3\x84pfel \xe2\x82\xac \xf0\x9f\x90\x88"});
    assert_labels("[unknown]\ncat\n", 2, (const char *const[]){"[unknown]", "cat"});
}

static void labels__reads_json(void **state)
{
    (void)state;
    assert_labels("[\"cat\", null, \"dog\"]", 3, (const char *const[]){"cat", NULL, "dog"});
    assert_labels(" {\"2\": \"dog\", \"0\": \"cat\"}", 3, (const char *const[]){"cat", NULL, "dog"});
    // As lines these would be JSON, lose spaces or a class, or begin with a byte order mark.
    assert_labels("[\"[1]\", \"x\"]", 2, (const char *const[]){"[1]", "x"});
    assert_labels("[\"a\", \" b \", null]", 3, (const char *const[]){"a", " b ", NULL});
    assert_labels("\xef\xbb\xbf\xef\xbb\xbf{}", 1, (const char *const[]){"\xef\xbb\xbf{}"});
    assert_labels("{\"0\": [\"n01440764\", \"tench\"]}", 1, (const char *const[]){"tench"});
}

static void labels__names_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
        size_t bytes;
    } cases[] = {
        {"", "no names", 0},
        {"\n\n", "no names", 2},
        {"[]", "no names", 2},
        {"cat\n\xff\xfe\n", "line 2 is not UTF-8", 7},
        {"cat\n\xc3", "line 2 is not UTF-8", 5},        // cut short
        {"\xc0\x80", "line 1 is not UTF-8", 2},         // a zero in disguise
        {"\xed\xa0\x80", "line 1 is not UTF-8", 3},     // half of a surrogate pair
        {"\xf4\x90\x80\x80", "line 1 is not UTF-8", 4}, // beyond Unicode
        {"a\0b", "line 1 is not UTF-8", 3},
        {"\x1b[31m", "line 1 is not UTF-8", 5},
        {"[\"cat\",", "not valid JSON", 7},
        {"[1]", "class 0 is not a text", 3},
        {"[\"a\\nb\"]", "class 0 is not a text", 8},
        {"{\"cat\": \"dog\"}", "'cat' is not a class index", 14},
        {"{\"12x\": \"dog\"}", "'12x' is not a class index", 14},
        {"{\"12345678\": \"dog\"}", "'12345678' is not a class index", 19},
        {"{\"9999999\": \"dog\"}", "at most 1000000", 18},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ferry_labels *l = (ferry_labels *)&l;
        ferry_error error = {{0}};
        const ferry_status s = ferry_labels_parse(cases[i].text, cases[i].bytes, NULL, &l, &error);
        assert_null(l);
        if (s != FERRY_ERR_BAD_DATA || !strstr(error.text, cases[i].expected)) {
            fail_msg("case %zu said '%s' and not '%s'", i, error.text, cases[i].expected);
        }
    }
}

static void labels__accepts_null(void **state)
{
    (void)state;
    assert_int_equal(ferry_labels_count(NULL), 0);
    assert_null(ferry_labels_get(NULL, 0));
    ferry_labels_destroy(NULL);
}

static void labels__reads_files(void **state)
{
    (void)state;
    ferry_labels *l = NULL;
    ferry_error error;
    assert_int_equal(ferry_labels_read("/no/such/labels.txt", NULL, &l, &error), FERRY_ERR_IO);
    char path[] = "/tmp/ferry-labels-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *f = fdopen(fd, "w");
    fputs("a\nb\n\xff", f);
    fclose(f);
    assert_int_equal(ferry_labels_read(path, NULL, &l, &error), FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(error.text, path));
    f = fopen(path, "w");
    fputs("a\nb\n", f);
    fclose(f);
    assert_ok(ferry_labels_read(path, NULL, &l, &error), &error);
    assert_int_equal(ferry_labels_count(l), 2);
    ferry_labels_destroy(l);
    remove(path);
}

static ferry_status attempt(const ferry_heap *heap, void *context, ferry_error *err)
{
    ferry_labels *l = NULL;
    char *text = NULL;
    ferry_status s = ferry_labels_parse(context, strlen(context), heap, &l, err);
    if (s == FERRY_OK) s = ferry_labels_to_text(l, heap, &text, err);
    ferry_text_free(heap, text);
    ferry_labels_destroy(l);
    return s;
}

static void labels__survives_every_failed_allocation(void **state)
{
    (void)state;
    char text[] = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n";
    assert_true(ferry_failing_heap_loop(attempt, text) > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels__reads_lines),         cmocka_unit_test(labels__reads_json),
        cmocka_unit_test(labels__names_what_is_wrong), cmocka_unit_test(labels__accepts_null),
        cmocka_unit_test(labels__reads_files),         cmocka_unit_test(labels__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
