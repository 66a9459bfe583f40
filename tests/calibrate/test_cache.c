// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/f16.h"
#include "base/file_map.h"
#include "base/strings.h"
#include "calibrate/cache.h"
#include "support/failing_heap.h"
#include "support/temp_folder.h"

static ferry_scale_table table;
static ferry_report report;
static ferry_cache_header header;
static ferry_error err;

static int set_up(void **state)
{
    (void)state;
    memset(&err, 0, sizeof err);
    ferry_scale_table_init(&table, ferry_heap_default());
    ferry_report_init(&report, ferry_heap_default());
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ferry_scale_table_deinit(&table);
    ferry_report_deinit(&report);
    return 0;
}

static ferry_status parse(const char *text)
{
    // An exact-size copy: reading one byte too far shows.
    const size_t bytes = strlen(text);
    char *copy = malloc(bytes ? bytes : 1);
    memcpy(copy, text, bytes);
    const ferry_status s = ferry_cache_parse(copy, bytes, "x.cache", &table, &header, &report, &err);
    free(copy);
    return s;
}

// Entries of published caches, and the scales and ranges that they stand for.
static const char published[] = "TRT-8001-EntropyCalibration2\n"
                                "data: 3c008912\n"
                                "conv2: 3ddc858b\n"
                                "prob: 3c010a14\n"
                                "(Unnamed Layer* 0) [Convolution]_output: 404efcc8\n"
                                "(Unnamed Layer* 4) [Fully Connected]_output: 3d65992f\n"
                                "(Unnamed Layer* 64) [Shuffle]_output: 0\n"
                                "(Unnamed Layer* 137) [Constant]_output: 3a4fd878\n"
                                "input_tensor_0: 3f810204\n"
                                "index_input: 4897230f\n"
                                "scale:0: 3c00f9f4\n"
                                "/model.0/act/Mul_output_0: 3e6c9314\n"
                                "tiny: 1a2b3\n";
static const struct {
    const char *name;
    double amax;
} ranges[] = {{"data", 0.9963379},
              {"conv2", 13.67493},
              {"prob", 1.000244},
              {"(Unnamed Layer* 0) [Convolution]_output", 410.7407},
              {"(Unnamed Layer* 4) [Fully Connected]_output", 7.118895},
              {"(Unnamed Layer* 64) [Shuffle]_output", 0},
              {"(Unnamed Layer* 137) [Constant]_output", 0.1006942},
              {"input_tensor_0", 128},
              {"index_input", 3.931012e7},
              {"scale:0", 0.9997559},
              {"/model.0/act/Mul_output_0", 29.34079}};

static void cache__reads_published_entries_and_writes_them_back(void **state)
{
    (void)state;
    char *text = NULL;
    assert_int_equal(parse(published), FERRY_OK);
    assert_string_equal(header.version, "8001");
    assert_string_equal(header.algorithm, "EntropyCalibration2");
    assert_int_equal(table.count, 12);
    assert_int_equal(report.count, 0);
    for (size_t i = 0; i < FERRY_COUNT_OF(ranges); i++) {
        const ferry_named_scale *e = ferry_scale_table_find(&table, ranges[i].name);
        assert_non_null(e);
        assert_ptr_equal(e, &table.entries[i]);
        assert_true(fabs(e->scale * 127.0 - ranges[i].amax) <= 1e-6 * ranges[i].amax);
        // Made from the range, the scale is the same float again.
        assert_true(ferry_scale_of_amax((double)e->scale * 127) == e->scale);
    }
    assert_null(ferry_scale_table_find(&table, "scale"));
    assert_int_equal(ferry_cache_text(&table, &header, NULL, &text, &err), FERRY_OK);
    assert_string_equal(text, published);
    ferry_text_free(NULL, text);
}

static void cache__accepts_what_other_tools_write(void **state)
{
    (void)state;
    assert_int_equal(parse("TRT-100300-MinMaxCalibration\r\na b: 3F810204\r\n\r\nc: d: 1\r\nlast: 3c010a14"), FERRY_OK);
    assert_string_equal(header.version, "100300");
    assert_string_equal(header.algorithm, "MinMaxCalibration");
    assert_int_equal(table.count, 3);
    assert_int_equal(ferry_f32_bits(ferry_scale_table_find(&table, "a b")->scale), 0x3f810204);
    assert_int_equal(ferry_f32_bits(ferry_scale_table_find(&table, "c: d")->scale), 1);
    assert_non_null(ferry_scale_table_find(&table, "last"));
}

static void cache__takes_the_last_of_a_name_and_says_so(void **state)
{
    (void)state;
    assert_int_equal(parse("TRT-8-X\na: 1\nb: 2\na: 3\n"), FERRY_OK);
    assert_int_equal(table.count, 2);
    assert_string_equal(table.entries[0].name, "a");
    assert_int_equal(ferry_f32_bits(table.entries[0].scale), 3);
    assert_int_equal(report.count, 1);
    assert_int_equal(report.findings[0].severity, FERRY_SEVERITY_WARNING);
    assert_non_null(strstr(report.findings[0].text, "line 4 names 'a' again"));
}

static void cache__refuses_with_line_and_reason(void **state)
{
    (void)state;
    const struct {
        const char *text, *reason;
    } bad[] = {
        {"", "x.cache:1: not a TensorRT calibration cache"},
        {"\n", "x.cache:1:"},
        {"input: 3c010a14\n", "x.cache:1: not a TensorRT"},
        {"TRT-8600\na: 1\n", "x.cache:1:"},
        {"TRT-8600-\na: 1\n", "x.cache:1:"},
        {"TRT--Entropy\na: 1\n", "x.cache:1:"},
        {"TRT-86 00-Entropy\na: 1\n", "x.cache:1:"},
        {"TRT-123456789012345678901234567890123-E\na: 1\n", "x.cache:1:"},
        {"TRT-8600-E\n", "holds no scale"},
        {"TRT-7000-EntropyCalibration\na: 0.00787\n", "x.cache:2: '0.00787' is a decimal number"},
        {"TRT-8-E\na: 1\nb: 1.5e-3\n", "x.cache:3: '1.5e-3' is a decimal number"},
        {"TRT-8-E\na: 123456789\n", "x.cache:2: '123456789' is a decimal number"},
        {"TRT-8-E\na: 12345678a\n", "x.cache:2: '12345678a' should be the 1 to 8 hex digits"},
        {"TRT-8-E\na: xyz\n", "x.cache:2: 'xyz'"},
        {"TRT-8-E\na:3c010a14\n", "x.cache:2: should be 'tensor name: hex digits'"},
        {"TRT-8-E\na: \n", "x.cache:2:"},
        {"TRT-8-E\n: 1\n", "x.cache:2: the tensor name has 0 bytes"},
        {"TRT-8-E\na: 7f800000\n", "x.cache:2: the scale 7f800000 (inf)"},
        {"TRT-8-E\na: 7fc00000\n", "finite and not negative"},
        {"TRT-8-E\na: bc010a14\n", "finite and not negative"},
        {"TRT-8-E\na: 0x3c01\n", "x.cache:2: '0x3c01'"},
    };
    for (size_t i = 0; i < FERRY_COUNT_OF(bad); i++) {
        tear_down(NULL);
        set_up(NULL);
        assert_int_equal(parse(bad[i].text), FERRY_ERR_BAD_DATA);
        if (!strstr(err.text, bad[i].reason)) fail_msg("'%s' lacks '%s'", err.text, bad[i].reason);
    }
    char *longest = malloc(6000);
    memset(longest, 'n', 5999);
    memcpy(longest, "TRT-8-E\n", 8);
    memcpy(longest + 5990, ": 1", 4);
    assert_int_equal(parse(longest), FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(err.text, "5982 bytes"));
    free(longest);
    const char zero[] = "TRT-8-E\na\0b: 1\n";
    assert_int_equal(ferry_cache_parse(zero, sizeof zero - 1, "x.cache", &table, &header, &report, &err),
                     FERRY_ERR_BAD_DATA);
}

static void cache__survives_random_damage(void **state)
{
    (void)state;
    char text[sizeof published];
    srand(7);
    for (int round = 0; round < 3000; round++) {
        memcpy(text, published, sizeof text);
        for (int k = rand() % 4; k >= 0; k--) text[rand() % (int)(sizeof text - 1)] = (char)rand();
        const size_t bytes = (size_t)rand() % sizeof text;
        char *copy = malloc(bytes + 1);
        memcpy(copy, text, bytes);
        tear_down(NULL);
        set_up(NULL);
        const ferry_status s = ferry_cache_parse(copy, bytes, "x", &table, &header, &report, &err);
        free(copy);
        assert_true(s == FERRY_OK || s == FERRY_ERR_BAD_DATA);
        char *written = NULL;
        // Whatever was accepted can be written, unless a stray line end inside a name came in.
        if (s == FERRY_OK && ferry_cache_text(&table, &header, NULL, &written, &err) == FERRY_OK) {
            ferry_scale_table again;
            ferry_scale_table_init(&again, ferry_heap_default());
            assert_int_equal(ferry_cache_parse(written, strlen(written), "y", &again, &header, NULL, &err), FERRY_OK);
            assert_int_equal(again.count, table.count);
            ferry_scale_table_deinit(&again);
        }
        ferry_text_free(NULL, written);
    }
}

static void cache__writes_only_what_the_format_can_hold(void **state)
{
    (void)state;
    char *text = NULL;
    assert_int_equal(ferry_cache_header_init(&header, NULL, FERRY_CALIBRATION_ENTROPY2, &err), FERRY_OK);
    assert_string_equal(header.version, "8600");
    assert_string_equal(header.algorithm, "EntropyCalibration2");
    assert_int_equal(ferry_cache_header_init(&header, "100300", FERRY_CALIBRATION_MINMAX, &err), FERRY_OK);
    assert_string_equal(header.algorithm, "MinMaxCalibration");
    assert_string_equal(ferry_cache_algorithm_name(FERRY_CALIBRATION_ENTROPY), "EntropyCalibration");
    assert_string_equal(ferry_cache_algorithm_name(FERRY_CALIBRATION_MSE), "EntropyCalibration2");
    const char *const versions[] = {"", "8.6", "1234567890", "x", "-1"};
    for (size_t i = 0; i < FERRY_COUNT_OF(versions); i++)
        assert_int_equal(ferry_cache_header_init(&header, versions[i], 0, &err), FERRY_ERR_INVALID_ARGUMENT);
    ferry_cache_header_init(&header, NULL, 0, NULL);
    assert_int_equal(ferry_scale_table_set(&table, "a\nb", 3, 1, NULL, &err), FERRY_OK);
    assert_int_equal(ferry_cache_text(&table, &header, NULL, &text, &err), FERRY_ERR_INVALID_ARGUMENT);
    tear_down(NULL);
    set_up(NULL);
    assert_int_equal(ferry_scale_table_set(&table, "a", 1, NAN, NULL, &err), FERRY_OK);
    assert_int_equal(ferry_cache_text(&table, &header, NULL, &text, &err), FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_scale_table_set(&table, "a", 1, -0.0f, NULL, &err), FERRY_OK);
    assert_int_equal(ferry_cache_text(&table, &header, NULL, &text, &err), FERRY_OK);
    assert_string_equal(text, "TRT-8600-EntropyCalibration2\na: 0\n");
    ferry_text_free(NULL, text);
    strcpy(header.algorithm, "a\nb");
    assert_int_equal(ferry_cache_text(&table, &header, NULL, &text, &err), FERRY_ERR_INVALID_ARGUMENT);
}

// The real caches, where they are there: every line comes back byte for byte.
static void cache__gives_real_caches_back(void **state)
{
    (void)state;
    const char *data = getenv("FERRY_TEST_DATA");
    char pattern[600];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/calibration-caches/*.cache", data ? data : "");
    if (!data || glob(pattern, 0, NULL, &found) != 0) {
        print_message("skipped: no calibration-caches in FERRY_TEST_DATA\n");
        skip();
    }
    assert_true(found.gl_pathc >= 3);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char *text = NULL, *written = NULL;
        size_t bytes = 0;
        tear_down(NULL);
        set_up(NULL);
        assert_int_equal(ferry_cache_load(found.gl_pathv[i], &table, &header, &report, &err), FERRY_OK);
        assert_int_equal(ferry_file_read(ferry_heap_default(), found.gl_pathv[i], 1 << 20, &text, &bytes, &err), 0);
        assert_int_equal(ferry_cache_text(&table, &header, NULL, &written, &err), FERRY_OK);
        assert_int_equal(strlen(written), bytes);
        assert_memory_equal(written, text, bytes);
        print_message("%zu entries of %s\n", table.count, strrchr(found.gl_pathv[i], '/') + 1);
        ferry_text_free(NULL, written);
        ferry_heap_free(ferry_heap_default(), text, bytes + 1);
    }
    globfree(&found);
}

static void table__finds_thousands_of_names(void **state)
{
    (void)state;
    char name[32];
    bool known = true;
    for (int i = 0; i < 5000; i++) {
        const int n = snprintf(name, sizeof name, "tensor %d", i);
        assert_int_equal(ferry_scale_table_set(&table, name, (size_t)n, (float)i, &known, &err), FERRY_OK);
        assert_false(known);
    }
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "tensor %d", i);
        const ferry_named_scale *e = ferry_scale_table_find(&table, name);
        assert_non_null(e);
        assert_true(e->scale == (float)i);
    }
    assert_null(ferry_scale_table_find(&table, "tensor 5000"));
    assert_null(ferry_scale_table_find(&table, ""));
}

static void check__lists_what_is_missing_and_refuses_strangers(void **state)
{
    (void)state;
    const char *const model[] = {"input", "conv1", "conv2"}, *const other[] = {"x", "y"};
    assert_int_equal(parse("TRT-8600-E\ninput: 1\nconv2: 1\nold: 1\n"), FERRY_OK);
    assert_int_equal(ferry_scale_table_check(&table, "x.cache", model, 3, &report, &err), FERRY_OK);
    assert_int_equal(report.count, 2);
    assert_int_equal(report.findings[0].severity, FERRY_SEVERITY_WARNING);
    assert_string_equal(report.findings[0].text, "lacks 1 of the model's 3 float tensors, which run in float: conv1");
    assert_string_equal(report.findings[1].text, "has 1 names that the model lacks: old");
    assert_int_equal(ferry_scale_table_check(&table, "x.cache", other, 2, &report, &err), FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(err.text, "none of its 3 tensor names occurs in the model (it has x, y)"));
    const char *many[200];
    char names[200][32];
    for (int i = 0; i < 200; i++) {
        snprintf(names[i], sizeof names[i], "a rather long name %d", i);
        many[i] = i ? names[i] : "input";
    }
    tear_down(NULL);
    set_up(NULL);
    assert_int_equal(parse("TRT-8600-E\ninput: 1\n"), FERRY_OK);
    assert_int_equal(ferry_scale_table_check(&table, "x.cache", many, 200, &report, &err), FERRY_OK);
    assert_non_null(strstr(report.findings[0].text, " more"));
}

static ferry_status round_trip(const ferry_heap *heap, void *context, ferry_error *error)
{
    ferry_scale_table t;
    ferry_cache_header h;
    char *text = NULL;
    const char *const names[] = {"data", "absent"};
    (void)context;
    ferry_scale_table_init(&t, heap);
    ferry_status s = ferry_cache_parse(published, sizeof published - 1, "x", &t, &h, NULL, error);
    if (s == FERRY_OK) s = ferry_scale_table_check(&t, "x", names, 2, NULL, error);
    if (s == FERRY_OK) s = ferry_cache_text(&t, &h, heap, &text, error);
    ferry_text_free(heap, text);
    ferry_scale_table_deinit(&t);
    return s;
}

static void cache__survives_each_failing_allocation(void **state)
{
    (void)state;
    assert_true(ferry_failing_heap_loop(round_trip, NULL) >= 8);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(cache__reads_published_entries_and_writes_them_back),
        TEST(cache__accepts_what_other_tools_write),
        TEST(cache__takes_the_last_of_a_name_and_says_so),
        TEST(cache__refuses_with_line_and_reason),
        TEST(cache__survives_random_damage),
        TEST(cache__writes_only_what_the_format_can_hold),
        TEST(cache__gives_real_caches_back),
        TEST(table__finds_thousands_of_names),
        TEST(check__lists_what_is_missing_and_refuses_strangers),
        TEST(cache__survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
