// SPDX-License-Identifier: Apache-2.0
// Calibration in parts: however samples are split, and in whatever order parts are added, the scales are those of one
// run over all of them, to the bit.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ferry/build.h"
#include "support/engine_case.h"
#include "support/failing_heap.h"
#include "support/run_graph.h"
#include "support/temp_folder.h"

enum { SAMPLE = 3 * 12 * 10, SAMPLES = 60 };

static graph_builder builder;
static ferry_network network;
static ferry_runtime *runtime;
static float samples[SAMPLES][SAMPLE];

static int set_up(void **state)
{
    (void)state;
    uint64_t seed = 4;
    build_conv_net(&builder, "?");
    network.heap = ferry_heap_default();
    MUST(ferry_graph_copy(&builder.graph, &network.graph, err));
    for (size_t n = 0; n < SAMPLES; n++)
        for (size_t i = 0; i < SAMPLE; i++) samples[n][i] = ferry_random(&seed) * (float)(1 + n % 7);
    runtime = test_runtime(NULL, "cpu", false, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ferry_runtime_release(runtime);
    ferry_graph_deinit(&network.graph);
    build_end(&builder);
    return 0;
}

// --- Samples from `begin`, each `step`th, up to `end` --------------------------------------------------------------

typedef struct source {
    size_t begin, end, step;
    ferry_calibration_algorithm algorithm;
} source;

static int get_batch(void *user, const void **bindings, const char *const *names, int32_t count, ferry_error *error)
{
    source *s = user;
    (void)names;
    (void)error;
    assert_int_equal(count, 1);
    if (s->begin >= s->end) return 0;
    bindings[0] = samples[s->begin];
    s->begin += s->step;
    return 1;
}

static const void *no_cache(void *user, size_t *length)
{
    (void)user;
    (void)length;
    fail_msg("a cache was asked for");
    return NULL;
}

static ferry_status observe_with(ferry_runtime *with, source s, uint32_t batch, int32_t threads, ferry_histograms **out,
                                 ferry_error *err)
{
    const ferry_calibrator calibrator = {
        .size = sizeof calibrator, .get_batch = get_batch, .read_calibration_cache = no_cache, .user = &s};
    const ferry_calibration_options c = {
        .size = sizeof c, .calibrator = &calibrator, .batch = batch, .algorithm = s.algorithm};
    const ferry_build_options options = {.size = sizeof options, .calibration = &c, .threads = threads};
    return ferry_observe(with, &network, &options, out, err);
}

static ferry_histograms *observe(size_t begin, size_t end, size_t step)
{
    ferry_histograms *h = NULL;
    MUST(observe_with(runtime, (source){begin, end, step, FERRY_CALIBRATION_DEFAULT}, 1, 1, &h, err));
    return h;
}

static void expect_same(const ferry_histograms *a, const ferry_histograms *b)
{
    void *x = NULL, *y = NULL;
    size_t n = 0, m = 0;
    MUST(ferry_histograms_serialize(a, &x, &n, err));
    MUST(ferry_histograms_serialize(b, &y, &m, err));
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    ferry_bytes_free(x, n);
    ferry_bytes_free(y, m);
}

// --- Tests ---------------------------------------------------------------------------------------------------------

static void parts__add_up_to_the_whole_in_any_order(void **state)
{
    (void)state;
    ferry_histograms *whole = observe(0, SAMPLES, 1);
    assert_int_equal(ferry_histograms_sample_count(whole), SAMPLES);
    const struct {
        size_t parts;
        bool strided, backwards;
    } cases[] = {{2, false, false}, {2, true, true}, {3, true, false}, {7, false, true}, {SAMPLES, true, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const size_t n = cases[i].parts, each = (SAMPLES + n - 1) / n;
        ferry_histograms *sum = NULL;
        for (size_t k = 0; k < n; k++) {
            const size_t p = cases[i].backwards ? n - 1 - k : k;
            const size_t begin = p * each, end = begin + each < SAMPLES ? begin + each : SAMPLES;
            ferry_histograms *part = cases[i].strided ? observe(p, SAMPLES, n) : observe(begin, end, 1);
            if (!sum) {
                sum = part;
                continue;
            }
            // One way and the other: (sum + part), and (part + sum).
            if (k % 2) {
                MUST(ferry_histograms_merge(sum, part, err));
                ferry_histograms_release(part);
            } else {
                MUST(ferry_histograms_merge(part, sum, err));
                ferry_histograms_release(sum);
                sum = part;
            }
        }
        expect_same(sum, whole);
        ferry_histograms_release(sum);
    }
    // Not because everything is the same.
    ferry_histograms *less = observe(0, SAMPLES - 1, 1);
    void *a = NULL, *b = NULL;
    size_t n = 0, m = 0;
    MUST(ferry_histograms_serialize(less, &a, &n, err));
    MUST(ferry_histograms_serialize(whole, &b, &m, err));
    assert_int_equal(n, m);
    assert_int_not_equal(memcmp(a, b, n), 0);
    ferry_bytes_free(a, n);
    ferry_bytes_free(b, m);
    ferry_histograms_release(less);
    ferry_histograms_release(whole);
}

static void batch_and_threads__change_nothing(void **state)
{
    (void)state;
    ferry_histograms *whole = observe(0, SAMPLES, 1), *other = NULL;
    MUST(observe_with(runtime, (source){0, SAMPLES, 1, FERRY_CALIBRATION_MSE}, 7, 2, &other, err));
    expect_same(whole, other);
    ferry_histograms_release(whole);
    ferry_histograms_release(other);
}

static void the_cache__is_that_of_one_machine(void **state)
{
    (void)state;
    ferry_histograms *sum = observe(0, 20, 1), *rest = observe(20, SAMPLES, 1);
    MUST(ferry_histograms_merge(sum, rest, err));
    for (int a = FERRY_CALIBRATION_DEFAULT; a <= FERRY_CALIBRATION_MSE; a++) {
        const bool percentile = a == FERRY_CALIBRATION_PERCENTILE;
        source s = {0, SAMPLES, 1, FERRY_CALIBRATION_DEFAULT};
        const ferry_calibrator calibrator = {.size = sizeof calibrator, .get_batch = get_batch, .user = &s};
        const ferry_calibration_options c = {.size = sizeof c,
                                             .calibrator = &calibrator,
                                             .algorithm = (ferry_calibration_algorithm)a,
                                             .percentile = percentile ? 99.5 : 0,
                                             .cache_version = "100300"};
        const ferry_build_options options = {.size = sizeof options, .calibration = &c, .threads = 1};
        char *want = NULL, *got = NULL;
        MUST(ferry_calibrate(runtime, &network, &options, &want, err));
        MUST(ferry_histograms_cache(sum, (ferry_calibration_algorithm)a, percentile ? 99.5 : 0, "100300", NULL, &got,
                                    err));
        assert_string_equal(got, want);
        ferry_bytes_free(want, strlen(want) + 1);
        ferry_bytes_free(got, strlen(got) + 1);
    }
    ferry_histograms_release(sum);
    ferry_histograms_release(rest);
}

// A list names single pictures; rows of a .npy file stand for them here, all drawn with a large count.
static void files__give_what_they_hold(void **state)
{
    (void)state;
    ferry_temp_folder folder;
    ferry_temp_folder_create(&folder);
    const char *path = ferry_temp_path(&folder, "part.npy");
    const ferry_tensor_view view = {.dtype = FERRY_F32, .rank = 4, .dims = {SAMPLES, 3, 12, 10}, .data = samples};
    MUST(ferry_tensor_file_write(path, &view, err));
    const ferry_calibration_options c = {.size = sizeof c, .source = path, .count = UINT32_MAX};
    const ferry_build_options options = {.size = sizeof options, .calibration = &c, .threads = 1};
    ferry_histograms *h = NULL, *whole = observe(0, SAMPLES, 1);
    MUST(ferry_observe(runtime, &network, &options, &h, err));
    expect_same(h, whole);
    ferry_histograms_release(h);
    ferry_histograms_release(whole);
    ferry_temp_folder_remove(&folder);
}

static void an_empty_part__changes_nothing_and_is_no_basis(void **state)
{
    (void)state;
    ferry_histograms *empty = observe(SAMPLES, SAMPLES, 1), *whole = observe(0, SAMPLES, 1);
    ferry_histograms *again = observe(0, SAMPLES, 1);
    char *text = NULL;
    ferry_error why = {""};
    assert_int_equal(ferry_histograms_sample_count(empty), 0);
    assert_int_equal(ferry_histograms_cache(empty, FERRY_CALIBRATION_MSE, 0, NULL, NULL, &text, &why),
                     FERRY_ERR_BAD_DATA);
    assert_null(text);
    MUST(ferry_histograms_merge(again, empty, err));
    expect_same(again, whole);
    MUST(ferry_histograms_merge(empty, whole, err));
    expect_same(empty, whole);
    ferry_histograms_release(empty);
    ferry_histograms_release(whole);
    ferry_histograms_release(again);
}

static void other_models__are_not_added(void **state)
{
    (void)state;
    ferry_histograms *mine = observe(0, 2, 1), *other = NULL;
    void *before = NULL, *after = NULL;
    size_t n = 0, m = 0;
    ferry_error why = {""};
    MUST(ferry_histograms_serialize(mine, &before, &n, err));
    // Other weights: the names are all the same.
    ferry_value *weights = NULL;
    for (size_t i = 0; i < network.graph.n_values && !weights; i++)
        if (network.graph.values[i].data && network.graph.values[i].dtype == FERRY_F32)
            weights = &network.graph.values[i];
    assert_non_null(weights);
    const void *data = weights->data;
    float *changed = malloc(weights->data_bytes);
    assert_non_null(changed);
    memcpy(changed, data, weights->data_bytes);
    changed[0] += 1;
    weights->data = changed;
    MUST(observe_with(runtime, (source){0, 2, 1, FERRY_CALIBRATION_MSE}, 1, 1, &other, err));
    weights->data = data;
    free(changed);
    assert_int_equal(ferry_histograms_merge(mine, other, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "their operators or weights differ"));
    ferry_histograms_release(other);
    // Other tensors.
    const int32_t y = ferry_network_find_tensor(&network, "conv1");
    MUST(ferry_network_set_tensor_name(&network, y, "conv1b", err));
    MUST(observe_with(runtime, (source){0, 2, 1, FERRY_CALIBRATION_MSE}, 1, 1, &other, err));
    MUST(ferry_network_set_tensor_name(&network, y, "conv1", err));
    assert_int_equal(ferry_histograms_merge(mine, other, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "tensor 1 is 'conv1' in one and 'conv1b' in the other"));
    ferry_histograms_release(other);
    // Another preprocessing.
    source s = {0, 2, 1, FERRY_CALIBRATION_DEFAULT};
    const ferry_calibrator calibrator = {.size = sizeof calibrator, .get_batch = get_batch, .user = &s};
    const ferry_calibration_options c = {.size = sizeof c, .calibrator = &calibrator};
    const ferry_build_options options = {
        .size = sizeof options, .calibration = &c, .threads = 1, .preprocess_json = "{}"};
    MUST(ferry_observe(runtime, &network, &options, &other, err));
    assert_int_equal(ferry_histograms_merge(mine, other, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "different preprocessings"));
    ferry_histograms_release(other);
    assert_int_equal(ferry_histograms_merge(mine, NULL, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_histograms_merge(NULL, mine, &why), FERRY_ERR_INVALID_ARGUMENT);
    MUST(ferry_histograms_serialize(mine, &after, &m, err));
    assert_int_equal(n, m);
    assert_memory_equal(before, after, n);
    ferry_bytes_free(before, n);
    ferry_bytes_free(after, m);
    ferry_histograms_release(mine);
}

static void auto__is_refused_with_the_reason(void **state)
{
    (void)state;
    ferry_histograms *h = observe(0, 2, 1), *none = NULL;
    char *text = NULL;
    ferry_error why = {""};
    assert_int_equal(ferry_histograms_cache(h, FERRY_CALIBRATION_AUTO, 0, NULL, NULL, &text, &why),
                     FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "compares the network's outputs"));
    assert_int_equal(observe_with(runtime, (source){0, 2, 1, FERRY_CALIBRATION_AUTO}, 1, 1, &none, &why),
                     FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_histograms_cache(h, (ferry_calibration_algorithm)77, 0, NULL, NULL, &text, &why),
                     FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_histograms_cache(h, FERRY_CALIBRATION_PERCENTILE, 101, NULL, NULL, &text, &why),
                     FERRY_ERR_INVALID_ARGUMENT);
    assert_int_equal(ferry_histograms_cache(h, FERRY_CALIBRATION_MSE, 0, "8.6", NULL, &text, &why),
                     FERRY_ERR_INVALID_ARGUMENT);
    assert_null(text);
    assert_null(none);
    assert_int_equal(ferry_observe(runtime, &network, NULL, &none, &why), FERRY_ERR_INVALID_ARGUMENT);
    ferry_histograms_release(h);
}

static void a_network_without_inputs__has_nothing_to_observe(void **state)
{
    (void)state;
    static const float one[] = {1, -2};
    const ferry_tensor_view view = {.dtype = FERRY_F32, .rank = 1, .dims = {2}, .data = one};
    ferry_network *constant = NULL;
    ferry_engine *engine = NULL;
    int32_t c, y;
    MUST(ferry_network_create(NULL, 0, &constant, err));
    MUST(ferry_network_add_constant(constant, "c", &view, &c, err));
    const ferry_node_description relu = {
        .size = sizeof relu, .op_type = "Relu", .inputs = &c, .n_inputs = 1, .n_outputs = 1};
    MUST(ferry_network_add_node(constant, &relu, &y, err));
    MUST(ferry_network_mark_output(constant, y, err));
    source s = {0, 2, 1, FERRY_CALIBRATION_DEFAULT};
    const ferry_calibrator calibrator = {.size = sizeof calibrator, .get_batch = get_batch, .user = &s};
    const ferry_calibration_options o = {.size = sizeof o, .calibrator = &calibrator};
    const ferry_build_options options = {.size = sizeof options, .calibration = &o, .threads = 1};
    ferry_histograms *h = NULL;
    ferry_error why = {""};
    assert_int_equal(ferry_observe(runtime, constant, &options, &h, &why), FERRY_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "the network has no inputs"));
    MUST(ferry_build(runtime, constant, NULL, &engine, err)); // built it can be
    test_expect_reference(engine, &constant->graph, 1, 0);
    ferry_engine_release(engine);
    ferry_network_release(constant);
}

static ferry_status observe_once(const ferry_heap *heap, void *context, ferry_error *err)
{
    (void)context;
    const ferry_runtime_options options = {.size = sizeof options, .device = "cpu:none", .heap = heap};
    ferry_runtime *own = NULL;
    ferry_histograms *a = NULL, *b = NULL;
    ferry_status s = ferry_runtime_create(&options, &own, err);
    if (s == FERRY_OK) s = observe_with(own, (source){0, 1, 1, FERRY_CALIBRATION_MSE}, 1, 1, &a, err);
    if (s == FERRY_OK) s = observe_with(own, (source){1, 2, 1, FERRY_CALIBRATION_MSE}, 1, 1, &b, err);
    ferry_runtime_release(own); // the histograms outlive it
    if (s == FERRY_OK) s = ferry_histograms_merge(a, b, err);
    char *text = NULL;
    if (s == FERRY_OK) s = ferry_histograms_cache(a, FERRY_CALIBRATION_MSE, 0, NULL, NULL, &text, err);
    if (text) ferry_bytes_free(text, strlen(text) + 1);
    ferry_histograms_release(a);
    ferry_histograms_release(b);
    return s;
}

static void observing__survives_every_refused_allocation(void **state)
{
    (void)state;
    assert_true(ferry_failing_heap_loop(observe_once, NULL) > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts__add_up_to_the_whole_in_any_order),
        cmocka_unit_test(batch_and_threads__change_nothing),
        cmocka_unit_test(the_cache__is_that_of_one_machine),
        cmocka_unit_test(files__give_what_they_hold),
        cmocka_unit_test(an_empty_part__changes_nothing_and_is_no_basis),
        cmocka_unit_test(other_models__are_not_added),
        cmocka_unit_test(auto__is_refused_with_the_reason),
        cmocka_unit_test(a_network_without_inputs__has_nothing_to_observe),
        cmocka_unit_test(observing__survives_every_refused_allocation),
    };
    return cmocka_run_group_tests_name("observe", tests, set_up, tear_down);
}
