// SPDX-License-Identifier: Apache-2.0
// Every model of the test data, imported, built in FP32 and run on its recorded input, against ONNX Runtime's recorded
// outputs.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/f16.h"
#include "base/file_map.h"
#include "base/heap.h"
#include "base/npy.h"
#include "ferry/build.h"

#define MOST_OUTPUTS 8

typedef struct model_case {
    const char *name;
    double most_error; // relative L2 of each output; negative: least share of equal elements, negated
} model_case;

static void log_line(void *user, ferry_severity severity, const char *text)
{
    (void)user;
    (void)severity;
    print_message("    %s\n", text);
}

static const ferry_logger logger = {log_line, NULL, FERRY_SEVERITY_WARNING};

static bool load_npy(const char *folder, const char *name, const char *file, ferry_file_map *map, ferry_npy *out)
{
    char path[1024];
    ferry_error err = {.text = ""};
    snprintf(path, sizeof path, "%s/reference/%s/%s", folder, name, file);
    if (ferry_file_map_open(map, path, &err) != FERRY_OK) return false;
    assert_int_equal(ferry_npy_parse(map->data, map->bytes, out, &err), FERRY_OK);
    return true;
}

static double element(ferry_dtype dtype, const void *data, size_t i)
{
    switch (dtype) {
    case FERRY_F32:
        return (double)((const float *)data)[i];
    case FERRY_F16:
        return (double)ferry_f32_from_f16(((const uint16_t *)data)[i]);
    case FERRY_S64:
        return (double)((const int64_t *)data)[i];
    case FERRY_U8:
        return ((const uint8_t *)data)[i];
    default:
        fail_msg("type %s", ferry_dtype_name(dtype));
        return 0;
    }
}

static double relative_l2(ferry_dtype dtype, const void *got, const ferry_npy *want)
{
    double difference = 0, norm = 0;
    for (size_t i = 0; i < want->elem_count; i++) {
        const double w = element(want->dtype, want->data, i), d = element(dtype, got, i) - w;
        difference += d * d;
        norm += w * w;
    }
    return sqrt(difference / (norm > 0 ? norm : 1));
}

static double share_equal(ferry_dtype dtype, const void *got, const ferry_npy *want)
{
    size_t equal = 0;
    for (size_t i = 0; i < want->elem_count; i++)
        equal += element(dtype, got, i) == element(want->dtype, want->data, i);
    return (double)equal / (double)want->elem_count;
}

static void fill_input(ferry_dtype dtype, const ferry_npy *from, void *to)
{
    for (size_t i = 0; i < from->elem_count; i++) {
        float x;
        memcpy(&x, (const char *)from->data + i * sizeof x, sizeof x);
        if (dtype == FERRY_F16) {
            ((uint16_t *)to)[i] = ferry_f16_from_f32(x);
        } else {
            ((float *)to)[i] = x;
        }
    }
}

typedef struct session {
    ferry_runtime *runtime;
    ferry_network *network;
    ferry_engine *engine;
    ferry_context *context;
    ferry_stream *stream;
} session;

#define MUST(call) assert_ok((call), &err)
static void assert_ok(ferry_status status, const ferry_error *err)
{
    if (status != FERRY_OK) fail_msg("%s: %s", ferry_status_name(status), err->text);
}

static session open_session(const char *path, const ferry_npy *input)
{
    ferry_error err = {.text = ""};
    session s = {0};
    const ferry_runtime_options runtime_options = {.size = sizeof runtime_options, .device = "cpu", .logger = &logger};
    const ferry_network_options network_options = {.size = sizeof network_options, .logger = &logger};
    MUST(ferry_runtime_create(&runtime_options, &s.runtime, &err));
    MUST(ferry_network_load(path, &network_options, &s.network, &err));
    ferry_binding_info info;
    MUST(ferry_network_binding(s.network, 0, &info, &err));
    ferry_profile_shape shape = {.input = info.name, .rank = (int32_t)input->rank};
    for (uint32_t d = 0; d < input->rank; d++)
        shape.min_dims[d] = shape.opt_dims[d] = shape.max_dims[d] = (int64_t)input->shape[d];
    // Untimed: alike everywhere, and soon also where a processor is emulated.
    const ferry_build_options options = {
        .size = sizeof options, .shapes = &shape, .n_shapes = 1, .threads = 2, .no_timing = true};
    MUST(ferry_build(s.runtime, s.network, &options, &s.engine, &err));
    MUST(ferry_context_create(s.engine, NULL, &s.context, &err));
    MUST(ferry_stream_create(s.runtime, NULL, &s.stream, &err));
    return s;
}

static void close_session(session *s)
{
    // In an order that only reference counts make right.
    ferry_runtime_release(s->runtime);
    ferry_engine_release(s->engine);
    ferry_network_release(s->network);
    ferry_context_release(s->context);
    ferry_stream_release(s->stream);
}

static void check_output(const char *folder, const model_case *c, int32_t index, ferry_dtype dtype, const void *got)
{
    char file[32];
    ferry_file_map map;
    ferry_npy want;
    snprintf(file, sizeof file, "output%d.npy", index);
    assert_true(load_npy(folder, c->name, file, &map, &want));
    if (c->most_error < 0) {
        const double share = share_equal(dtype, got, &want);
        print_message("    output %d: %.5f equal\n", index, share);
        assert_true(share >= -c->most_error);
    } else {
        const double l2 = relative_l2(dtype, got, &want);
        print_message("    output %d: relative L2 %.2e\n", index, l2);
        assert_true(l2 <= c->most_error);
    }
    ferry_file_map_close(&map);
}

static void build_and_compare(const char *folder, const model_case *c)
{
    char path[1024];
    ferry_error err = {.text = ""};
    ferry_file_map input_map;
    ferry_npy input;
    assert_true(load_npy(folder, c->name, "input.npy", &input_map, &input));
    snprintf(path, sizeof path, "%s/models/%s.onnx", folder, c->name);
    session s = open_session(path, &input);

    const int32_t n = ferry_engine_binding_count(s.engine);
    void *buffers[1 + MOST_OUTPUTS] = {NULL};
    ferry_dtype dtypes[1 + MOST_OUTPUTS];
    assert_in_range(n, 2, 1 + MOST_OUTPUTS);
    for (int32_t i = 0; i < n; i++) {
        int32_t rank = 0;
        int64_t dims[FERRY_MAX_RANK];
        ferry_binding_info info;
        MUST(ferry_engine_binding(s.engine, i, &info, &err));
        MUST(ferry_context_binding_shape(s.context, i, &rank, dims, &err));
        size_t elements = 1;
        for (int32_t d = 0; d < rank; d++) elements *= (size_t)dims[d];
        buffers[i] = calloc(elements, ferry_dtype_bytes(info.dtype));
        dtypes[i] = info.dtype;
    }
    fill_input(dtypes[0], &input, buffers[0]);
    const void *inputs[] = {buffers[0]};
    MUST(ferry_context_run(s.context, s.stream, inputs, buffers + 1, &err));
    for (int32_t i = 1; i < n; i++) check_output(folder, c, i - 1, dtypes[i], buffers[i]);
    for (int32_t i = 0; i < n; i++) free(buffers[i]);
    ferry_file_map_close(&input_map);
    close_session(&s);
}

static const model_case cases[] = {
    {"mobilenet_v1_0.25_224", 1e-4}, {"mobilenet_v1_0.75_192_fp32", 1e-4},
    {"squeezenet1.1_fp32", 1e-4},    {"squeezenet1.1_fp16", 5e-3},
    {"ultraface_rfb_320", 1e-4},     {"fastestdet_352", 1e-4},
    {"nanodet_m_416", 1e-4},         {"yolox_nano", 1e-4},
    {"ppocrv4_rec", 1e-4},           {"deeplabv3_mnv2_dm05_513", -0.999},
};

static void real_models__agree_with_onnxruntime(void **state)
{
    (void)state;
    const char *folder = getenv("FERRY_TEST_DATA");
    char probe[1024];
    snprintf(probe, sizeof probe, "%s/README.md", folder ? folder : "");
    FILE *f = fopen(probe, "r");
    if (!f) {
        print_message("SKIP: no test data at '%s'\n", folder ? folder : "(FERRY_TEST_DATA is not set)");
        skip();
    }
    fclose(f);
    const char *only = getenv("FERRY_TEST_MODEL");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (only && strcmp(only, cases[i].name) != 0) continue;
        print_message("  %s\n", cases[i].name);
        build_and_compare(folder, &cases[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(real_models__agree_with_onnxruntime)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
