// SPDX-License-Identifier: Apache-2.0
// The FP16 guard from end to end: a network whose middle reaches a million, with and without it, on each device here.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ops/element.h"
#include "support/engine_case.h"
#include "support/run_graph.h"
#include "support/temp_folder.h"

enum { SAMPLE = 8 * 6 * 6 };

// x -> Conv -> 'big', beyond a million -> Relu -> Conv -> 'small' -> Sigmoid of a thousandth -> y. What comes after
// 'small' has no reason to leave FP16.
static void build_loud_net(graph_builder *b)
{
    build_begin(b, 3);
    const ferry_value_id x = build_input(b, "x", FERRY_F32, "1x8x6x6");
    const ferry_value_id big = BUILD_NODE(b, "Conv", "big", "kernel_shape=3,3 pads=1,1,1,1", x,
                                          build_between(b, "w_big", "8x8x3x3", 30000.0f, 60000.0f));
    const ferry_value_id small =
        BUILD_NODE(b, "Conv", "small", "kernel_shape=3,3 pads=1,1,1,1", BUILD_NODE(b, "Relu", "big_relu", "", big),
                   build_constant(b, "w_small", "8x8x3x3", 0.001f));
    const ferry_value_id tame =
        BUILD_NODE(b, "Conv", "tame", "kernel_shape=1,1", small, build_constant(b, "w_tame", "8x8x1x1", 0.002f));
    build_output(b, BUILD_NODE(b, "Sigmoid", "y", "", tame));
    build_finish(b);
}

// --- Samples -------------------------------------------------------------------------------------------------------

typedef struct source {
    float data[SAMPLE];
    uint64_t seed;
    int asked;
} source;

static int get_batch(void *user, const void **bindings, const char *const *names, int32_t count, ferry_error *error)
{
    source *s = user;
    (void)names;
    (void)count;
    (void)error;
    if (s->asked++ == 40) return 0;
    for (int i = 0; i < SAMPLE; i++) s->data[i] = 2.0f * ferry_random(&s->seed);
    bindings[0] = s->data;
    return 1;
}

// --- Running -------------------------------------------------------------------------------------------------------

static const char *const devices[] = {"cpu", "cuda"};

// NULL when the device isn't here.
static ferry_runtime *open_device(const char *device, test_log *log)
{
    ferry_runtime *runtime = NULL;
    ferry_error err = {.text = ""};
    test_log_init(log);
    const ferry_runtime_options options = {.size = sizeof options, .device = device, .logger = &log->logger};
    if (ferry_runtime_create(&options, &runtime, &err) == FERRY_OK) return runtime;
    print_message("%s is not here: %s\n", device, err.text);
    return NULL;
}

static ferry_engine *build(ferry_runtime *runtime, const graph_builder *b, source *s, uint32_t precisions,
                           bool no_guard)
{
    const ferry_calibrator calibrator = {.size = sizeof calibrator, .get_batch = get_batch, .user = s};
    const ferry_calibration_options c = {.size = sizeof c, .calibrator = &calibrator};
    const ferry_build_options options = {.size = sizeof options,
                                         .precisions = precisions,
                                         .calibration = s ? &c : NULL,
                                         .no_timing = true,
                                         .no_fp16_guard = no_guard,
                                         .threads = 1};
    return test_engine(runtime, &b->graph, &options);
}

static size_t count_unfinite(ferry_engine *engine)
{
    ferry_context *context = NULL;
    ferry_stream *stream = NULL;
    test_io io;
    size_t count = 0;
    MUST(ferry_context_create(engine, NULL, &context, err));
    MUST(ferry_stream_create(engine->runtime, NULL, &stream, err));
    test_io_open(&io, context, 5);
    MUST(test_io_run(&io, stream, err));
    const ferry_tensor *y = &io.tensors[io.n_in];
    for (size_t i = 0; i < ferry_tensor_elements(y); i++) count += !isfinite(ferry_load_f64(y, i));
    test_io_close(&io);
    ferry_context_release(context);
    ferry_stream_release(stream);
    return count;
}

static bool keeps(ferry_engine *engine, const char *layer, const char *why)
{
    char wanted[128];
    char *text = NULL;
    MUST(ferry_engine_describe(engine, &text, err));
    const char *kept = strstr(text, "\"kept_from_fp16\"");
    assert_non_null(kept);
    const char *end = strchr(kept, ']');
    snprintf(wanted, sizeof wanted, "\"layer\":\"%s\"", layer);
    const char *found = strstr(kept, wanted);
    const bool is_kept = found && found < end;
    if (is_kept && why) assert_non_null(strstr(kept, why));
    ferry_bytes_free(text, strlen(text) + 1);
    return is_kept;
}

// --- The tests -----------------------------------------------------------------------------------------------------

static void fp16_guard__keeps_what_overflows_out_of_fp16(void **state)
{
    graph_builder b;
    (void)state;
    build_loud_net(&b);
    for (size_t d = 0; d < FERRY_COUNT_OF(devices); d++) {
        test_log log;
        source s = {.seed = 11}, other = {.seed = 11};
        ferry_runtime *runtime = open_device(devices[d], &log);
        if (!runtime) continue;
        ferry_engine *guarded = build(runtime, &b, &s, FERRY_PRECISION_FP16, false);
        assert_int_equal(s.asked, 16); // samples that it looks at
        const char *type = runtime->infos[0].fast_dtypes & (1u << FERRY_BF16) ? "bf16" : "fp32";
        char line[64];
        snprintf(line, sizeof line, "kept in %s instead of fp16: 'big", type);
        assert_non_null(strstr(log.text, line));
        assert_true(keeps(guarded, "big", "reaches 1."));
        assert_true(keeps(guarded, "small", "which it reads"));
        assert_false(keeps(guarded, "tame", NULL));
        assert_non_null(strstr(ferry_engine_text(guarded, "build"), "\"fp16_guard\":\"16 samples\""));
        test_expect_reference(guarded, &b.graph, 5, 1e-2);

        ferry_engine *unguarded = build(runtime, &b, &other, FERRY_PRECISION_FP16, true);
        assert_int_equal(other.asked, 0);
        assert_false(keeps(unguarded, "big", NULL));
        assert_true(count_unfinite(unguarded) > 0);
        ferry_engine_release(guarded);
        ferry_engine_release(unguarded);
        ferry_runtime_release(runtime);
    }
    build_end(&b);
}

// Calibration for INT8 has looked at all tensors anyway: no sample is asked for twice.
static void fp16_guard__uses_what_calibration_saw(void **state)
{
    graph_builder b;
    test_log log;
    source s = {.seed = 11};
    (void)state;
    build_loud_net(&b);
    ferry_runtime *runtime = open_device("cpu", &log);
    ferry_engine *engine = build(runtime, &b, &s, FERRY_PRECISION_FP16 | FERRY_PRECISION_INT8, false);
    assert_int_equal(s.asked, 41);
    assert_non_null(strstr(ferry_engine_text(engine, "build"), "\"fp16_guard\":\"40 samples\""));
    assert_int_equal(count_unfinite(engine), 0);
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    build_end(&b);
}

static void fp16_guard__takes_the_ranges_of_a_calibration_cache(void **state)
{
    // 8000 in a scale of INT8 is a range of 1016000.
    static const char cache[] = "TRT-8600-EntropyCalibration2\nbig_relu: 45fa0000\nx: 3c800000\n";
    graph_builder b;
    test_log log;
    ferry_temp_folder folder;
    (void)state;
    build_loud_net(&b);
    ferry_temp_folder_create(&folder);
    const char *path = ferry_temp_write(&folder, "loud.cache", cache, strlen(cache));
    ferry_runtime *runtime = open_device("cpu", &log);
    const ferry_calibration_options c = {.size = sizeof c, .cache_path = path};
    const ferry_build_options options = {
        .size = sizeof options, .precisions = FERRY_PRECISION_FP16, .calibration = &c, .no_timing = true, .threads = 1};
    ferry_engine *engine = test_engine(runtime, &b.graph, &options);
    assert_true(keeps(engine, "big", "reaches 1.02e+06"));
    assert_non_null(strstr(ferry_engine_text(engine, "build"), "\"fp16_guard\":\"a calibration cache\""));
    ferry_engine_release(engine);
    ferry_runtime_release(runtime);
    ferry_temp_folder_remove(&folder);
    build_end(&b);
}

static void fp16_guard__says_when_it_has_seen_nothing(void **state)
{
    graph_builder b;
    test_log log;
    (void)state;
    build_loud_net(&b);
    ferry_runtime *runtime = open_device("cpu", &log);
    ferry_engine *engine = build(runtime, &b, NULL, FERRY_PRECISION_FP16, false);
    assert_non_null(strstr(log.text, "the FP16 guard has no samples"));
    assert_non_null(strstr(ferry_engine_text(engine, "build"), "\"fp16_guard\":\"no samples\""));
    assert_false(keeps(engine, "big", NULL));
    ferry_engine_release(engine);
    ferry_engine *plain = build(runtime, &b, NULL, 0, false);
    assert_null(strstr(ferry_engine_text(plain, "build"), "fp16_guard"));
    ferry_engine_release(plain);
    ferry_runtime_release(runtime);
    build_end(&b);
}

// The numeric plan holds the types and the reasons, so that a replay needs no samples.
static void fp16_guard__lies_in_the_numeric_plan(void **state)
{
    graph_builder b;
    test_log log;
    source s = {.seed = 11};
    (void)state;
    build_loud_net(&b);
    ferry_runtime *runtime = open_device("cpu", &log);
    ferry_engine *first = build(runtime, &b, &s, FERRY_PRECISION_FP16, false);
    const ferry_build_options options = {.size = sizeof options,
                                         .precisions = FERRY_PRECISION_FP16,
                                         .numeric_plan = ferry_engine_text(first, "numeric_plan"),
                                         .no_timing = true};
    ferry_engine *second = test_engine(runtime, &b.graph, &options);
    assert_string_equal(ferry_engine_text(first, "numeric_plan"), ferry_engine_text(second, "numeric_plan"));
    assert_true(keeps(second, "big", "reaches 1."));
    test_expect_reference(second, &b.graph, 5, 1e-2);
    ferry_engine_release(first);
    ferry_engine_release(second);
    ferry_runtime_release(runtime);
    build_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fp16_guard__keeps_what_overflows_out_of_fp16),
        cmocka_unit_test(fp16_guard__uses_what_calibration_saw),
        cmocka_unit_test(fp16_guard__takes_the_ranges_of_a_calibration_cache),
        cmocka_unit_test(fp16_guard__says_when_it_has_seen_nothing),
        cmocka_unit_test(fp16_guard__lies_in_the_numeric_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
