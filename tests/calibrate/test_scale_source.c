// SPDX-License-Identifier: Apache-2.0
// From observed tensors to a cache on disk and back, with the rules for caches that exist already.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file_map.h"
#include "calibrate/scale_source.h"
#include "support/failing_heap.h"
#include "support/temp_folder.h"

static ferry_temp_folder folder;
static ferry_scale_table table;
static ferry_report report;
static ferry_error err;

static const char *const names[] = {"input", "conv", "zeros", "broken", "unseen", "mixed"};
enum { NAMES = 6 };
static const ferry_calibration_meta now = {"1111", "2222", "3333", "minmax", 64, UINT64_MAX};

static int set_up(void **state)
{
    (void)state;
    memset(&err, 0, sizeof err);
    ferry_temp_folder_create(&folder);
    ferry_scale_table_init(&table, ferry_heap_default());
    ferry_report_init(&report, ferry_heap_default());
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ferry_temp_folder_remove(&folder);
    ferry_scale_table_deinit(&table);
    ferry_report_deinit(&report);
    return 0;
}

static void start_over(void)
{
    ferry_scale_table_deinit(&table);
    ferry_report_deinit(&report);
    ferry_scale_table_init(&table, ferry_heap_default());
    ferry_report_init(&report, ferry_heap_default());
}

static ferry_status observe_all(const ferry_heap *heap, ferry_scale_table *out, ferry_report *findings, ferry_error *e)
{
    const float values[] = {-2.54f, 1, 0.5f}, odd[] = {NAN, INFINITY}, zero[2] = {0, -0.0f};
    ferry_observer *o = NULL;
    ferry_status s = ferry_observer_create(heap, NAMES, NULL, &o, e);
    if (s == FERRY_OK) {
        ferry_observer_observe(o, 0, FERRY_F32, values + 1, 2, e);
        ferry_observer_observe(o, 1, FERRY_F32, values, 3, e);
        ferry_observer_observe(o, 2, FERRY_F32, zero, 2, e);
        ferry_observer_observe(o, 3, FERRY_F32, odd, 2, e);
        ferry_observer_observe(o, 5, FERRY_F32, odd, 2, e);
        ferry_observer_observe(o, 5, FERRY_F32, values, 3, e);
        s = ferry_scale_table_from_observer(out, o, names, FERRY_CALIBRATION_MINMAX, 0, findings, e);
    }
    ferry_observer_destroy(o);
    return s;
}

static void scales__come_from_what_was_observed(void **state)
{
    (void)state;
    assert_int_equal(observe_all(ferry_heap_default(), &table, &report, &err), FERRY_OK);
    assert_int_equal(table.count, NAMES);
    assert_true(ferry_scale_table_find(&table, "input")->scale == (float)(1.0 / 127));
    assert_true(ferry_scale_table_find(&table, "conv")->scale == (float)((double)2.54f / 127));
    assert_true(ferry_scale_table_find(&table, "zeros")->scale == 0);
    assert_true(ferry_scale_table_find(&table, "broken")->scale == 0);
    assert_true(ferry_scale_table_find(&table, "unseen")->scale == 0);
    assert_true(ferry_scale_table_find(&table, "mixed")->scale == (float)((double)2.54f / 127));
    const struct {
        const char *name, *text;
        ferry_severity severity;
    } expected[] = {{"zeros", "all of its values are 0", FERRY_SEVERITY_INFO},
                    {"broken", "none of its 2 values is a finite", FERRY_SEVERITY_WARNING},
                    {"unseen", "no value of it was seen", FERRY_SEVERITY_WARNING},
                    {"mixed", "1 of its 5 values are NaN and 1 infinite", FERRY_SEVERITY_WARNING}};
    assert_int_equal(report.count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(report.findings[i].subject, expected[i].name);
        assert_int_equal(report.findings[i].severity, expected[i].severity);
        assert_non_null(strstr(report.findings[i].text, expected[i].text));
    }
    assert_true(ferry_scale_of_amax(1e-37) == 0); // the scale would be subnormal
    assert_true(ferry_scale_of_amax(3e38) > 0);
}

static void expect_same_file(const char *path, const char *content, size_t bytes)
{
    char *text = NULL;
    size_t n = 0;
    assert_int_equal(ferry_file_read(ferry_heap_default(), path, 1 << 20, &text, &n, &err), FERRY_OK);
    assert_int_equal(n, bytes);
    assert_memory_equal(text, content, bytes);
    ferry_heap_free(ferry_heap_default(), text, n + 1);
}

static void cache__is_written_once_and_then_only_read(void **state)
{
    (void)state;
    bool found = true;
    ferry_calibration_options options = {.size = sizeof options,
                                         .algorithm = FERRY_CALIBRATION_MINMAX,
                                         .source = "pictures",
                                         .cache_path = ferry_temp_path(&folder, "m.cache")};
    assert_int_equal(ferry_scale_source_read(&options, &now, names, NAMES, &table, &found, &report, &err), FERRY_OK);
    assert_false(found);
    assert_int_equal(ferry_temp_count(&folder), 0); // the trial left nothing
    assert_int_equal(observe_all(ferry_heap_default(), &table, NULL, &err), FERRY_OK);
    assert_int_equal(ferry_scale_source_write(&options, &now, &table, &err), FERRY_OK);
    assert_int_equal(ferry_temp_count(&folder), 2);
    const char expected[] = "TRT-8600-MinMaxCalibration\ninput: 3c010204\nconv: 3ca3d70a\nzeros: 0\nbroken: 0\n"
                            "unseen: 0\nmixed: 3ca3d70a\n";
    expect_same_file(options.cache_path, expected, sizeof expected - 1);

    start_over();
    assert_int_equal(ferry_scale_source_read(&options, &now, names, NAMES, &table, &found, &report, &err), FERRY_OK);
    assert_true(found);
    assert_int_equal(table.count, NAMES);
    assert_int_equal(report.count, 1); // "6 scales read"
    assert_int_equal(report.findings[0].severity, FERRY_SEVERITY_INFO);
    assert_non_null(strstr(report.findings[0].text, "6 scales read (TensorRT 8600, MinMaxCalibration)"));

    start_over();
    options.recalibrate = true;
    assert_int_equal(ferry_scale_source_read(&options, &now, names, NAMES, &table, &found, &report, &err), FERRY_OK);
    assert_false(found);
    options.cache_version = "100300";
    assert_int_equal(observe_all(ferry_heap_default(), &table, NULL, &err), FERRY_OK);
    assert_int_equal(ferry_scale_source_write(&options, &now, &table, &err), FERRY_OK);
    char *text = NULL;
    size_t bytes = 0;
    assert_int_equal(ferry_file_read(ferry_heap_default(), options.cache_path, 1000, &text, &bytes, &err), FERRY_OK);
    assert_memory_equal(text, "TRT-100300-MinMaxCalibration\n", 29);
    ferry_heap_free(ferry_heap_default(), text, bytes + 1);
}

static void meta__warns_about_each_difference(void **state)
{
    (void)state;
    bool found = false;
    const char *cache = "TRT-8600-EntropyCalibration2\ninput: 3c010204\n";
    char path[300];
    snprintf(path, sizeof path, "%s", ferry_temp_write(&folder, "m.cache", cache, strlen(cache)));
    ferry_calibration_options options = {.size = sizeof options, .cache_path = path};
    const ferry_calibration_meta other = {"9111", "9222", "9333", "percentile:99.9", 65, 1};
    ferry_calibration_meta partly = {"1111", "", "", "minmax", 0, 0};
    assert_int_equal(ferry_calibration_meta_save(ferry_heap_default(), path, &now, &err), FERRY_OK);
    ferry_calibration_meta stored;
    assert_int_equal(ferry_calibration_meta_load(ferry_heap_default(), path, &stored, &found, &err), FERRY_OK);
    assert_true(found);
    assert_string_equal(stored.preprocessing, "3333");
    assert_string_equal(stored.algorithm, "minmax");
    assert_true(stored.count == 64 && stored.seed == UINT64_MAX);

    assert_int_equal(ferry_scale_source_read(&options, &other, names, 1, &table, &found, &report, &err), FERRY_OK);
    assert_int_equal(report.count, 7);
    const char *const words[] = {"another model",           "another preprocessing",
                                 "another algorithm",       "another set of samples",
                                 "from 64 samples, now 65", "seed 18446744073709551615, now 1"};
    for (int i = 0; i < 6; i++) {
        assert_int_equal(report.findings[1 + i].severity, FERRY_SEVERITY_WARNING);
        assert_non_null(strstr(report.findings[1 + i].text, words[i]));
    }
    // What is not known is not compared.
    start_over();
    assert_int_equal(ferry_scale_source_read(&options, &partly, names, 1, &table, &found, &report, &err), FERRY_OK);
    assert_int_equal(report.count, 1);

    const char *const damaged[] = {"{",
                                   "[]",
                                   "{\"format\": 2}",
                                   "{\"modell\": \"x\"}",
                                   "{\"count\": -1}",
                                   "{\"seed\": \"x\"}",
                                   "{\"model\": \"000000000000000000000000000000000000000000\"}"};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        ferry_temp_write(&folder, "m.cache.meta", damaged[i], strlen(damaged[i]));
        start_over();
        assert_int_equal(ferry_scale_source_read(&options, &now, names, 1, &table, &found, &report, &err), FERRY_OK);
        assert_true(found);
        assert_int_equal(report.count, 2);
        assert_int_equal(report.findings[1].severity, FERRY_SEVERITY_WARNING);
        assert_non_null(strstr(report.findings[1].text, "cannot tell its origin"));
    }
    // A cache of TensorRT has no side file.
    assert_int_equal(unlink(ferry_temp_path(&folder, "m.cache.meta")), 0);
    start_over();
    assert_int_equal(ferry_scale_source_read(&options, &now, names, 1, &table, &found, &report, &err), FERRY_OK);
    assert_int_equal(report.count, 1);
}

static void read__fails_before_time_is_spent(void **state)
{
    (void)state;
    bool found = false;
    ferry_calibration_options options = {.size = sizeof options};
    assert_int_equal(ferry_scale_source_read(&options, &now, names, 1, &table, &found, &report, &err),
                     FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "INT8 needs samples"));
    options.cache_path = ferry_temp_path(&folder, "absent.cache");
    assert_int_equal(ferry_scale_source_read(&options, &now, names, 1, &table, &found, &report, &err), FERRY_ERR_IO);
    assert_non_null(strstr(err.text, "there is no such calibration cache"));
    options.source = "pictures";
    options.cache_path = ferry_temp_path(&folder, "no/absent.cache");
    assert_int_equal(ferry_scale_source_read(&options, &now, names, 1, &table, &found, &report, &err), FERRY_ERR_IO);
    assert_non_null(strstr(err.text, "folder does not exist"));
    const char *cache = "TRT-8600-EntropyCalibration2\nother: 3c010204\n";
    options.cache_path = ferry_temp_write(&folder, "other.cache", cache, strlen(cache));
    assert_int_equal(ferry_scale_source_read(&options, &now, names, 1, &table, &found, &report, &err),
                     FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(err.text, "other.cache: none of its 1 tensor names"));
    expect_same_file(options.cache_path, cache, strlen(cache));
}

typedef struct keeper {
    char text[4096];
    size_t length, reads, writes;
} keeper;

static const void *read_kept(void *user, size_t *length)
{
    keeper *k = user;
    k->reads++;
    *length = k->length;
    return k->length ? k->text : NULL;
}

static void keep(void *user, const void *text, size_t length)
{
    keeper *k = user;
    k->writes++;
    memcpy(k->text, text, length);
    k->length = length;
}

static ferry_calibration_algorithm always_entropy(void *user)
{
    (void)user;
    return FERRY_CALIBRATION_ENTROPY;
}

static void calibrator__keeps_and_returns_the_cache(void **state)
{
    (void)state;
    static keeper kept;
    bool found = true;
    const ferry_calibrator calibrator = {.size = sizeof calibrator,
                                         .read_calibration_cache = read_kept,
                                         .write_calibration_cache = keep,
                                         .get_algorithm = always_entropy,
                                         .user = &kept};
    ferry_calibration_options options = {.size = sizeof options, .calibrator = &calibrator};
    assert_int_equal(ferry_scale_source_algorithm(&options), FERRY_CALIBRATION_ENTROPY);
    assert_int_equal(ferry_scale_source_read(&options, &now, names, NAMES, &table, &found, &report, &err), FERRY_OK);
    assert_false(found);
    assert_int_equal(observe_all(ferry_heap_default(), &table, NULL, &err), FERRY_OK);
    assert_int_equal(ferry_scale_source_write(&options, &now, &table, &err), FERRY_OK);
    assert_int_equal(kept.writes, 1);
    assert_memory_equal(kept.text, "TRT-8600-EntropyCalibration\ninput: 3c010204\n", 44);
    start_over();
    assert_int_equal(ferry_scale_source_read(&options, &now, names, NAMES, &table, &found, &report, &err), FERRY_OK);
    assert_true(found);
    assert_int_equal(table.count, NAMES);
    kept.text[0] = 'x';
    start_over();
    assert_int_equal(ferry_scale_source_read(&options, &now, names, NAMES, &table, &found, &report, &err),
                     FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(err.text, "calibrator's cache:1:"));
    options.recalibrate = true;
    start_over();
    assert_int_equal(ferry_scale_source_read(&options, &now, names, NAMES, &table, &found, &report, &err), FERRY_OK);
    assert_int_equal(kept.reads, 3);
}

static ferry_status whole_way(const ferry_heap *heap, void *context, ferry_error *e)
{
    ferry_scale_table t;
    ferry_report findings;
    bool found = false;
    const ferry_calibration_options options = {
        .size = sizeof options, .source = "pictures", .cache_path = context, .recalibrate = true};
    ferry_calibration_options second = options;
    second.recalibrate = false;
    ferry_scale_table_init(&t, heap);
    ferry_report_init(&findings, heap);
    ferry_status s = ferry_scale_source_read(&options, &now, names, NAMES, &t, &found, &findings, e);
    if (s == FERRY_OK) s = observe_all(heap, &t, &findings, e);
    if (s == FERRY_OK) s = ferry_scale_source_write(&options, &now, &t, e);
    ferry_scale_table_deinit(&t);
    ferry_scale_table_init(&t, heap);
    if (s == FERRY_OK) s = ferry_scale_source_read(&second, &now, names, NAMES, &t, &found, &findings, e);
    ferry_scale_table_deinit(&t);
    ferry_report_deinit(&findings);
    return s;
}

static void sources__survive_each_failing_allocation(void **state)
{
    (void)state;
    char path[300];
    snprintf(path, sizeof path, "%s/heap.cache", folder.path);
    assert_true(ferry_failing_heap_loop(whole_way, path) > 15);
    assert_int_equal(ferry_temp_count(&folder), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(scales__come_from_what_was_observed),     TEST(cache__is_written_once_and_then_only_read),
        TEST(meta__warns_about_each_difference),       TEST(read__fails_before_time_is_spent),
        TEST(calibrator__keeps_and_returns_the_cache), TEST(sources__survive_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
