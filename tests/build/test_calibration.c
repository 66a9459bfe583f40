// SPDX-License-Identifier: Apache-2.0
// Calibration as the builder drives it: the caller's calibrator, samples from files, and what may not change a scale.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "support/engine_case.h"
#include "support/failing_heap.h"
#include "support/mock_device.h"
#include "support/run_graph.h"
#include "support/temp_folder.h"

enum { SAMPLE = 3 * 12 * 10, SAMPLES = 448 };

// --- A calibrator with a fixed set of samples ----------------------------------------------------------------------

typedef struct source {
    const float *data; // [count][SAMPLE]
    int32_t batch, count, at;
    bool reverse, fail, no_reason, forget;
    int asked, cache_reads;
    const char *cache;
    char written[8192];
    int writes;
    float *buffer;
} source;

static int32_t batch_size(void *user)
{
    return ((source *)user)->batch;
}

static int get_batch(void *user, const void **bindings, const char *const *names, int32_t count, ferry_error *error)
{
    source *s = user;
    assert_int_equal(count, 1);
    assert_string_equal(names[0], "x");
    s->asked++;
    if (s->fail) {
        if (!s->no_reason) snprintf(error->text, sizeof error->text, "the camera fell off");
        return -1;
    }
    if (s->at + s->batch > s->count) return 0;
    for (int32_t i = 0; i < s->batch; i++) {
        const int32_t n = s->reverse ? s->count - 1 - (s->at + i) : s->at + i;
        memcpy(s->buffer + (size_t)i * SAMPLE, s->data + (size_t)n * SAMPLE, SAMPLE * sizeof(float));
    }
    s->at += s->batch;
    if (!s->forget) bindings[0] = s->buffer;
    return 1;
}

static const void *read_cache(void *user, size_t *length)
{
    source *s = user;
    s->cache_reads++;
    *length = s->cache ? strlen(s->cache) : 0;
    return s->cache;
}

static void write_cache(void *user, const void *text, size_t length)
{
    source *s = user;
    assert_true(length < sizeof s->written);
    memcpy(s->written, text, length);
    s->written[length] = 0;
    s->writes++;
}

static ferry_calibrator calibrator_of(source *s)
{
    return (ferry_calibrator){.size = sizeof(ferry_calibrator),
                              .get_batch_size = batch_size,
                              .get_batch = get_batch,
                              .read_calibration_cache = read_cache,
                              .write_calibration_cache = write_cache,
                              .user = s};
}

// --- One network for all tests -------------------------------------------------------------------------------------

static graph_builder builder;
static ferry_network network;
static float *samples;
static float buffer[64 * SAMPLE];
static ferry_temp_folder folder;

static int set_up(void **state)
{
    (void)state;
    uint64_t seed = 99;
    build_conv_net(&builder, "?");
    network.heap = ferry_heap_default();
    MUST(ferry_graph_copy(&builder.graph, &network.graph, err));
    samples = malloc(sizeof(float) * SAMPLE * SAMPLES);
    assert_non_null(samples);
    for (size_t i = 0; i < (size_t)SAMPLE * SAMPLES; i++) samples[i] = ferry_random(&seed) * (float)(1 + i % 5);
    ferry_temp_folder_create(&folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ferry_graph_deinit(&network.graph);
    build_end(&builder);
    free(samples);
    ferry_temp_folder_remove(&folder);
    return 0;
}

static ferry_build_options build_options(const ferry_calibration_options *c, int32_t threads)
{
    return (ferry_build_options){
        .size = sizeof(ferry_build_options), .calibration = c, .threads = threads, .precisions = FERRY_PRECISION_INT8};
}

static ferry_status calibrate(const ferry_calibration_options *c, int32_t threads, test_log *log, char **out_text,
                              ferry_error *err)
{
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, log);
    const ferry_build_options options = build_options(c, threads);
    const ferry_status s = ferry_calibrate(runtime, &network, &options, out_text, err);
    ferry_runtime_release(runtime);
    return s;
}

static void free_text(char *text)
{
    ferry_bytes_free(text, strlen(text) + 1);
}

static char *calibrate_with(source *s, int32_t threads, uint32_t batch)
{
    char *text = NULL;
    const ferry_calibrator calibrator = calibrator_of(s);
    const ferry_calibration_options c = {.size = sizeof c, .calibrator = &calibrator, .batch = batch};
    s->data = samples;
    s->buffer = buffer;
    MUST(calibrate(&c, threads, NULL, &text, err));
    return text;
}

// --- Choosing an algorithm -----------------------------------------------------------------------------------------

static ferry_calibration_algorithm say_auto(void *user)
{
    (void)user;
    return FERRY_CALIBRATION_AUTO;
}

static void auto__takes_the_algorithm_whose_outputs_are_closest(void **state)
{
    (void)state;
    for (int by_calibrator = 0; by_calibrator < 2; by_calibrator++) {
        source s = {.batch = 1, .count = 40, .data = samples, .buffer = buffer};
        ferry_calibrator calibrator = calibrator_of(&s);
        ferry_calibration_options c = {.size = sizeof c, .calibrator = &calibrator};
        char *text = NULL, *direct = NULL;
        test_log log;
        test_log_init(&log);
        if (by_calibrator)
            calibrator.get_algorithm = say_auto;
        else
            c.algorithm = FERRY_CALIBRATION_AUTO;
        MUST(calibrate(&c, 1, &log, &text, err));
        static const char *const names[] = {"entropy2", "entropy", "minmax", "percentile", "mse"};
        double most = -1000;
        const char *best = NULL;
        for (int i = 0; i < 5; i++) {
            char line[80];
            snprintf(line, sizeof line, "info: calibration auto: %s: outputs at ", names[i]);
            const char *at = strstr(log.text, line);
            assert_non_null(at);
            const double db = atof(at + strlen(line));
            assert_true(db > 5 && db < 150);
            if (db > most) best = names[i];
            if (db > most) most = db;
        }
        const char *taken = strstr(log.text, "calibration auto: takes ");
        assert_non_null(taken);
        assert_memory_equal(taken + strlen("calibration auto: takes "), best, strlen(best));
        assert_non_null(strstr(taken, "on 16 samples"));
        // The scales are those of that algorithm asked for by name.
        source again = {.batch = 1, .count = 40, .data = samples, .buffer = buffer};
        calibrator = calibrator_of(&again);
        MUST(ferry_calibration_algorithm_parse(best, &c.algorithm, &c.percentile, err));
        MUST(calibrate(&c, 1, NULL, &direct, err));
        assert_string_equal(text, direct);
        assert_string_equal(s.written, text);
        free_text(text);
        free_text(direct);
    }
}

// --- The caller's calibrator ---------------------------------------------------------------------------------------

static void scales__depend_on_the_samples_alone(void **state)
{
    (void)state;
    source first = {.batch = 1, .count = SAMPLES};
    char *want = calibrate_with(&first, 1, 0);
    assert_int_equal(first.asked, SAMPLES + 1);
    const struct {
        int32_t batch, threads;
        uint32_t run_batch;
        bool reverse;
    } cases[] = {{7, 1, 0, false}, {64, 1, 0, false}, {1, 2, 0, false},   {64, 2, 0, true},
                 {1, 1, 7, false}, {7, 2, 64, true},  {64, 1, 64, false}, {1, 1, 1, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        source s = {.batch = cases[i].batch, .count = SAMPLES, .reverse = cases[i].reverse};
        char *got = calibrate_with(&s, cases[i].threads, cases[i].run_batch);
        assert_string_equal(got, want);
        free_text(got);
    }
    // Not because nothing ever changes them.
    source fewer = {.batch = 1, .count = 10};
    char *other = calibrate_with(&fewer, 1, 0);
    assert_string_not_equal(other, want);
    free_text(other);
    free_text(want);
}

static void cache__has_a_line_for_every_float_tensor(void **state)
{
    (void)state;
    source s = {.batch = 1, .count = 3};
    char *text = calibrate_with(&s, 1, 0);
    static const char *const names[] = {"x",        "conv1", "relu1", "pool1", "conv2", "add2",
                                        "sigmoid2", "mul2",  "flat",  "fc",    "y"};
    size_t lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++) lines++;
    assert_int_equal(lines, 1 + sizeof names / sizeof *names);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char line[64];
        snprintf(line, sizeof line, "\n%s: ", names[i]);
        assert_non_null(strstr(text, line));
    }
    free_text(text);
}

static void no_batch__is_this_error(void **state)
{
    (void)state;
    source s = {.batch = 64, .count = 63, .data = samples, .buffer = buffer};
    const ferry_calibrator calibrator = calibrator_of(&s);
    const ferry_calibration_options c = {.size = sizeof c, .calibrator = &calibrator};
    char *text = NULL;
    ferry_error why = {.text = ""};
    assert_int_equal(calibrate(&c, 1, NULL, &text, &why), FERRY_ERR_BAD_DATA);
    assert_string_equal(why.text,
                        "calibrator returned no batch (batch size 64): are there fewer pictures than one batch?");
    assert_null(text);
    assert_int_equal(s.writes, 0);
}

static void failing_calibrator__fails_the_build_with_its_reason(void **state)
{
    (void)state;
    const struct {
        source s;
        ferry_status status;
        const char *text;
    } cases[] = {
        {{.batch = 1, .count = 5, .fail = true}, FERRY_ERR_BAD_DATA, "the calibrator failed: the camera fell off"},
        {{.batch = 1, .count = 5, .fail = true, .no_reason = true}, FERRY_ERR_BAD_DATA, "(no reason given)"},
        {{.batch = 1, .count = 5, .forget = true}, FERRY_ERR_INVALID_ARGUMENT, "gave no data for input 'x'"},
        {{.batch = 0, .count = 5}, FERRY_ERR_INVALID_ARGUMENT, "batch size is 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        source s = cases[i].s;
        s.data = samples;
        s.buffer = buffer;
        const ferry_calibrator calibrator = calibrator_of(&s);
        const ferry_calibration_options c = {.size = sizeof c, .calibrator = &calibrator};
        ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
        const ferry_build_options options = build_options(&c, 1);
        ferry_engine *engine = NULL;
        ferry_error why = {.text = ""};
        assert_int_equal(ferry_build(runtime, &network, &options, &engine, &why), cases[i].status);
        assert_non_null(strstr(why.text, cases[i].text));
        assert_null(engine);
        assert_int_equal(s.writes, 0);
        ferry_runtime_release(runtime);
    }
}

static void cache__of_the_calibrator_is_read_instead_of_samples(void **state)
{
    (void)state;
    source s = {.batch = 4, .count = 64};
    char *text = calibrate_with(&s, 1, 0);
    assert_int_equal(s.writes, 1);
    assert_string_equal(s.written, text);
    source again = {.batch = 4, .count = 64, .cache = text};
    char *same = calibrate_with(&again, 1, 0);
    assert_int_equal(again.asked, 0);
    assert_int_equal(again.writes, 0);
    assert_true(again.cache_reads >= 1);
    assert_string_equal(same, text);
    free_text(same);
    free_text(text);
}

// --- Several inputs ------------------------------------------------------------------------------------------------

static int two_inputs(void *user, const void **bindings, const char *const *names, int32_t count, ferry_error *error)
{
    int *left = user;
    static float a[3 * 4];
    static int64_t index[3];
    (void)error;
    assert_int_equal(count, 2);
    assert_string_equal(names[0], "a");
    assert_string_equal(names[1], "index");
    if ((*left)-- == 0) return 0;
    for (int i = 0; i < 12; i++) a[i] = (float)(i + *left);
    for (int i = 0; i < 3; i++) index[i] = i % 2;
    bindings[0] = a;
    bindings[1] = index;
    return 1;
}

static int32_t three(void *user)
{
    (void)user;
    return 3;
}

static void several_inputs__come_from_a_calibrator_only(void **state)
{
    (void)state;
    graph_builder b;
    build_begin(&b, 1);
    const ferry_value_id a = build_input(&b, "a", FERRY_F32, "?x4"), index = build_input(&b, "index", FERRY_S64, "?");
    const ferry_value_id picked = BUILD_NODE(&b, "Gather", "picked", "axis=0", a, index);
    build_output(&b, BUILD_NODE(&b, "Relu", "y", "", picked));
    build_finish(&b);
    ferry_network net = {.heap = ferry_heap_default()};
    MUST(ferry_graph_copy(&b.graph, &net.graph, err));
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    char *text = NULL;
    ferry_error why = {.text = ""};
    const ferry_calibration_options files = {.size = sizeof files, .source = folder.path};
    ferry_build_options options = build_options(&files, 1);
    assert_int_equal(ferry_calibrate(runtime, &net, &options, &text, &why), FERRY_ERR_UNSUPPORTED);
    assert_non_null(strstr(why.text, "2 inputs"));
    int left = 2;
    const ferry_calibrator calibrator = {
        .size = sizeof calibrator, .get_batch = two_inputs, .get_batch_size = three, .user = &left};
    const ferry_calibration_options own = {
        .size = sizeof own, .calibrator = &calibrator, .algorithm = FERRY_CALIBRATION_MINMAX};
    options.calibration = &own;
    // Samples are taken one by one, so an index of 1 lies outside the only row: the model cannot run on a sample alone.
    assert_int_not_equal(ferry_calibrate(runtime, &net, &options, &text, &why), FERRY_OK);
    assert_non_null(strstr(why.text, "picked"));
    ferry_graph_deinit(&net.graph);
    ferry_runtime_release(runtime);
    build_end(&b);
}

// --- Samples in files ----------------------------------------------------------------------------------------------

static const char *write_npy(const char *name, int32_t count)
{
    char header[128];
    const size_t bytes = (size_t)count * SAMPLE * sizeof(float);
    char *file = calloc(1, 128 + bytes);
    assert_non_null(file);
    snprintf(header, sizeof header, "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 3, 12, 10), }", count);
    memcpy(file, "\x93NUMPY\x01\x00\x76\x00", 10);
    memset(file + 10, ' ', 118);
    memcpy(file + 10, header, strlen(header));
    file[127] = '\n';
    memcpy(file + 128, samples, bytes);
    const char *path = ferry_temp_write(&folder, name, file, 128 + bytes);
    free(file);
    return path;
}

static void npy__gives_the_scales_of_the_same_samples(void **state)
{
    (void)state;
    char path[512];
    source s = {.batch = 1, .count = 40};
    char *want = calibrate_with(&s, 1, 0), *text = NULL;
    snprintf(path, sizeof path, "%s", write_npy("samples.npy", 40));
    for (uint32_t batch = 0; batch <= 16; batch += 16) {
        const ferry_calibration_options c = {.size = sizeof c, .source = path, .batch = batch};
        MUST(calibrate(&c, 2, NULL, &text, err));
        assert_string_equal(text, want);
        free_text(text);
    }
    free_text(want);
    ferry_temp_folder_remove(&folder);
    ferry_temp_folder_create(&folder);
}

static void copy_picture(const char *from, const char *to)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/examples/pictures/calibrate/%s", getenv("FERRY_SOURCE_DIR"), from);
    ferry_file_map map;
    MUST(ferry_file_map_open(&map, path, err));
    ferry_temp_write(&folder, to, map.data, map.bytes);
    ferry_file_map_close(&map);
}

static void pictures__come_from_a_folder_or_a_list_and_bad_ones_are_skipped(void **state)
{
    (void)state;
    if (!getenv("FERRY_SOURCE_DIR")) skip();
    copy_picture("stairs.jpg", "pictures/a.jpg");
    copy_picture("raccoon.jpg", "pictures/b.jpg");
    ferry_temp_write(&folder, "pictures/c.jpg", "no picture", 10);
    ferry_temp_write(&folder, "list.txt", "# two\npictures/b.jpg\n\npictures/a.jpg\npictures/gone.png\n", 55);
    ferry_temp_write(&folder, "bad/c.png", "no picture", 10);
    char pictures[512], list[512], bad[512];
    snprintf(pictures, sizeof pictures, "%s", ferry_temp_path(&folder, "pictures"));
    snprintf(list, sizeof list, "%s", ferry_temp_path(&folder, "list.txt"));
    snprintf(bad, sizeof bad, "%s", ferry_temp_path(&folder, "bad"));
    test_log log;
    char *from_folder = NULL, *from_list = NULL, *none = NULL;
    ferry_calibration_options c = {.size = sizeof c, .source = pictures};
    test_log_init(&log);
    MUST(calibrate(&c, 1, &log, &from_folder, err));
    assert_non_null(strstr(log.text, "warning: skipped: "));
    assert_non_null(strstr(log.text, "c.jpg"));
    c.source = list;
    test_log_init(&log);
    MUST(calibrate(&c, 1, &log, &from_list, err));
    assert_non_null(strstr(log.text, "gone.png"));
    assert_string_equal(from_folder, from_list);
    c.source = bad;
    ferry_error why = {.text = ""};
    assert_int_equal(calibrate(&c, 1, NULL, &none, &why), FERRY_ERR_BAD_DATA);
    assert_non_null(strstr(why.text, "none of the 1 samples could be read"));
    free_text(from_folder);
    free_text(from_list);
    ferry_temp_folder_remove(&folder);
    ferry_temp_folder_create(&folder);
}

// --- Ends that come early ------------------------------------------------------------------------------------------

typedef struct counter {
    int reports, cancel_at;
} counter;

static int count_report(void *user, const ferry_progress_report *report)
{
    counter *c = user;
    (void)report;
    return ++c->reports == c->cancel_at;
}

static void cancelling__at_any_report_leaves_nothing(void **state)
{
    (void)state;
    char cache[512], timings[512];
    snprintf(cache, sizeof cache, "%s", ferry_temp_path(&folder, "x.cache"));
    snprintf(timings, sizeof timings, "%s", ferry_temp_path(&folder, "x.timings"));
    bool cancelled = true;
    int n = 0;
    while (cancelled) {
        ferry_failing_heap heap;
        ferry_failing_heap_init(&heap);
        counter count = {.cancel_at = ++n};
        source s = {.batch = 2, .count = 8, .data = samples, .buffer = buffer};
        const ferry_calibrator calibrator = calibrator_of(&s);
        const ferry_calibration_options c = {.size = sizeof c, .calibrator = &calibrator, .cache_path = cache};
        const ferry_progress progress = {count_report, &count};
        ferry_build_options options = build_options(&c, 1);
        options.progress = &progress;
        const ferry_runtime_options runtime_options = {
            .size = sizeof runtime_options, .device = "cpu", .heap = &heap.heap};
        ferry_runtime *runtime = NULL;
        ferry_engine *engine = NULL;
        ferry_error why = {.text = ""};
        MUST(ferry_runtime_create(&runtime_options, &runtime, err));
        const ferry_status status = ferry_build(runtime, &network, &options, &engine, &why);
        cancelled = status != FERRY_OK;
        if (cancelled) {
            assert_int_equal(status, FERRY_ERR_CANCELLED);
            assert_null(engine);
            assert_true(why.text[0] != 0);
        }
        ferry_engine_release(engine);
        ferry_runtime_release(runtime);
        assert_int_equal(atomic_load(&heap.blocks_in_use), 0);
        // Either no cache yet, or a whole one with its side file.
        const size_t files = ferry_temp_count(&folder);
        if (files != 0 && files != 2) fail_msg("%zu files after report %d: %s", files, n, why.text);
        ferry_temp_folder_remove(&folder);
        ferry_temp_folder_create(&folder);
        snprintf(cache, sizeof cache, "%s", ferry_temp_path(&folder, "x.cache"));
    }
    assert_true(n > 6);
}

static ferry_status calibrate_once(const ferry_heap *heap, void *context, ferry_error *err)
{
    (void)context;
    source s = {.batch = 1, .count = 1, .data = samples, .buffer = buffer};
    const ferry_calibrator calibrator = calibrator_of(&s);
    const ferry_calibration_options c = {.size = sizeof c, .calibrator = &calibrator};
    const ferry_build_options options = build_options(&c, 1);
    const ferry_runtime_options runtime_options = {.size = sizeof runtime_options, .device = "cpu:none", .heap = heap};
    ferry_runtime *runtime = NULL;
    char *text = NULL;
    ferry_status status = ferry_runtime_create(&runtime_options, &runtime, err);
    if (status == FERRY_OK) status = ferry_calibrate(runtime, &network, &options, &text, err);
    if (text) free_text(text);
    ferry_runtime_release(runtime);
    return status;
}

static void calibration__survives_every_refused_allocation(void **state)
{
    (void)state;
    assert_true(ferry_failing_heap_loop(calibrate_once, NULL) > 50);
}

// --- Structs of other versions -------------------------------------------------------------------------------------

static void options__of_an_older_ferry_work(void **state)
{
    (void)state;
    source s = {.batch = 1, .count = 3};
    char *want = calibrate_with(&s, 1, 0), *text = NULL;
    source old = {.batch = 1, .count = 3, .data = samples, .buffer = buffer};
    // Members past what `size` covers are garbage that may not be looked at.
    const ferry_calibrator calibrator = {
        .size = sizeof calibrator, .get_batch = get_batch, .get_batch_size = batch_size, .user = &old};
    ferry_calibration_options c;
    memset(&c, 0x5A, sizeof c);
    c.size = offsetof(ferry_calibration_options, source);
    c.algorithm = FERRY_CALIBRATION_DEFAULT;
    c.percentile = 0;
    c.calibrator = &calibrator;
    ferry_build_options options;
    memset(&options, 0, sizeof options);
    options.size = offsetof(ferry_build_options, preprocess_json);
    options.calibration = &c;
    memset((char *)&options + options.size, 0x5A, sizeof options - options.size);
    ferry_runtime *runtime = test_runtime(NULL, "cpu", false, NULL);
    MUST(ferry_calibrate(runtime, &network, &options, &text, err));
    assert_string_equal(text, want);
    free_text(text);
    free_text(want);
    // Too short to hold `calibration` at all: there is none, however much the memory behind looks like one.
    options.size = offsetof(ferry_build_options, shapes);
    ferry_error why = {.text = ""};
    assert_int_equal(ferry_calibrate(runtime, &network, &options, &text, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "calibration"));
    ferry_runtime_release(runtime);
}

static void options__without_a_size_are_refused(void **state)
{
    (void)state;
    ferry_runtime *runtime = NULL, *good = test_runtime(NULL, "cpu", false, NULL);
    ferry_engine *engine = NULL;
    ferry_network *net = NULL;
    ferry_stream *stream = NULL;
    char *text = NULL;
    ferry_error why = {.text = ""};
    const ferry_runtime_options a = {.device = "cpu"};
    assert_int_equal(ferry_runtime_create(&a, &runtime, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "ferry_runtime_options: its member 'size' is 0"));
    const ferry_network_options b = {0};
    assert_int_equal(ferry_network_load("x.onnx", &b, &net, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "sizeof(ferry_network_options)"));
    const ferry_build_options c = {0};
    assert_int_equal(ferry_build(good, &network, &c, &engine, &why), FERRY_ERR_INVALID_ARGUMENT);
    const ferry_calibration_options d = {0};
    const ferry_build_options with_d = {.size = sizeof with_d, .calibration = &d};
    assert_int_equal(ferry_calibrate(good, &network, &with_d, &text, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "ferry_calibration_options"));
    const ferry_stream_options e = {0};
    assert_int_equal(ferry_stream_create(good, &e, &stream, &why), FERRY_ERR_INVALID_ARGUMENT);
    const ferry_engine_load_options f = {0};
    assert_int_equal(ferry_engine_load(good, "x", &f, &engine, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_engine_load_memory(good, "x", 1, &f, &engine, &why), FERRY_ERR_INVALID_ARGUMENT);
    ferry_runtime_release(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scales__depend_on_the_samples_alone),
        cmocka_unit_test(auto__takes_the_algorithm_whose_outputs_are_closest),
        cmocka_unit_test(cache__has_a_line_for_every_float_tensor),
        cmocka_unit_test(no_batch__is_this_error),
        cmocka_unit_test(failing_calibrator__fails_the_build_with_its_reason),
        cmocka_unit_test(cache__of_the_calibrator_is_read_instead_of_samples),
        cmocka_unit_test(several_inputs__come_from_a_calibrator_only),
        cmocka_unit_test(npy__gives_the_scales_of_the_same_samples),
        cmocka_unit_test(pictures__come_from_a_folder_or_a_list_and_bad_ones_are_skipped),
        cmocka_unit_test(cancelling__at_any_report_leaves_nothing),
        cmocka_unit_test(calibration__survives_every_refused_allocation),
        cmocka_unit_test(options__of_an_older_ferry_work),
        cmocka_unit_test(options__without_a_size_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
