// SPDX-License-Identifier: Apache-2.0
// Pictures fed to an engine on its device: on a GPU (or the emulated one) and on the CPU, equal to what
// ferry_preprocessor_run makes, bit for bit.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/f16.h"
#include "ferry/feed.h"
#include "support/engine_case.h"
#include "support/kernel_case.h"

enum { GUARD = 64, GUARD_BYTE = 0xA5 };

typedef struct fixture {
    ferry_runtime *runtime;
    ferry_engine *engine;
    ferry_stream *stream;
    ferry_dtype dtype;
} fixture;

static const char preprocess_json[] = "{\"preset\":\"unit\"}";

// An engine with one input, out of a file's bytes, so that nothing is there which the file does not hold.
static void open_fixture(fixture *t, const char *device, ferry_dtype dtype, const char *dims, const char *json)
{
    graph_builder b;
    build_begin(&b, 1);
    const ferry_value_id x = build_input(&b, "x", dtype, dims);
    build_output(&b, BUILD_NODE(&b, "Cast", "y", dtype == FERRY_F32 ? "to=10" : "to=1", x));
    build_finish(&b);
    *t = (fixture){.runtime = test_runtime(NULL, device, false, NULL), .dtype = dtype};
    const ferry_build_options options = {
        .size = sizeof options, .threads = 1, .preprocess_json = json, .no_timing = true};
    ferry_engine *built = test_engine(t->runtime, &b.graph, &options);
    void *data = NULL;
    size_t bytes = 0;
    MUST(ferry_engine_serialize(built, &data, &bytes, err));
    ferry_engine_release(built);
    MUST(ferry_engine_load_memory(t->runtime, data, bytes, NULL, &t->engine, err));
    ferry_bytes_free(data, bytes);
    assert_false(t->engine->replanned);
    MUST(ferry_stream_create(t->runtime, NULL, &t->stream, err));
    build_end(&b);
}

static void close_fixture(fixture *t)
{
    ferry_stream_release(t->stream);
    ferry_engine_release(t->engine);
    ferry_runtime_release(t->runtime);
}

static void fill(uint8_t *pixels, size_t bytes, uint32_t seed)
{
    for (size_t i = 0; i < bytes; i++) {
        seed = seed * 1664525u + 1013904223u;
        pixels[i] = seed >> 30 ? (uint8_t)(seed >> 24) : seed & 0x800000 ? 255 : 0; // many extremes
    }
}

// Pixels in memory of that kind, with bytes between the rows.
static ferry_picture make_picture(const fixture *t, uint32_t width, uint32_t height, uint32_t channels, uint32_t gap)
{
    ferry_picture p = {.width = width, .height = height, .channels = channels};
    p.stride_bytes = (size_t)width * channels + gap;
    p.pixels = ferry_pinned_alloc(t->runtime, p.stride_bytes * height);
    assert_non_null(p.pixels);
    fill(p.pixels, p.stride_bytes * height, width * 31 + height);
    return p;
}

// Feeds the picture into memory between guards, and holds it against the host's work.
static void expect_equal(fixture *t, ferry_feeder *feeder, const ferry_preprocess *settings, const ferry_picture *host,
                         ferry_picture_memory memory)
{
    ferry_preprocess_geometry g, got;
    MUST(ferry_preprocess_plan(settings, host->width, host->height, &g, err));
    const size_t bytes = ferry_preprocess_elements(&g) * ferry_dtype_bytes(t->dtype), all = bytes + 2 * GUARD;
    const size_t pixels = host->stride_bytes * host->height;
    uint8_t *expected = malloc(all), *read = ferry_pinned_alloc(t->runtime, all);
    char *room = ferry_memory_alloc(t->runtime, all);
    ferry_picture picture = *host;
    memset(expected, GUARD_BYTE, all);
    ferry_preprocessor *p = NULL;
    MUST(ferry_preprocessor_create(settings, NULL, &p, err));
    MUST(ferry_stream_copy(t->stream, FERRY_COPY_TO_DEVICE, room, expected, all, err));
    MUST(ferry_stream_wait(t->stream, err));
    MUST(ferry_preprocessor_run(p, host, t->dtype, expected + GUARD, bytes, &g, err));
    ferry_preprocessor_destroy(p);
    if (memory == FERRY_PICTURE_ON_DEVICE) {
        picture.pixels = ferry_memory_alloc(t->runtime, pixels);
        MUST(ferry_stream_copy(t->stream, FERRY_COPY_TO_DEVICE, picture.pixels, host->pixels, pixels, err));
    }
    MUST(ferry_feeder_enqueue(feeder, &picture, memory, room + GUARD, bytes, t->stream, &got, err));
    MUST(ferry_stream_copy(t->stream, FERRY_COPY_FROM_DEVICE, read, room, all, err));
    MUST(ferry_stream_wait(t->stream, err));
    assert_memory_equal(&g, &got, sizeof g);
    for (size_t i = 0; i < all; i++)
        if (read[i] != expected[i])
            fail_msg("%ux%ux%u, mode %d, filter %d, colour %d: byte %zu is %u, not %u", host->width, host->height,
                     host->channels, settings->mode, settings->filter, settings->color, i - GUARD, read[i],
                     expected[i]);
    if (memory == FERRY_PICTURE_ON_DEVICE) ferry_memory_free(t->runtime, picture.pixels, pixels);
    ferry_memory_free(t->runtime, room, all);
    ferry_pinned_free(t->runtime, read, all);
    free(expected);
}

static ferry_feeder *make_feeder(const fixture *t, const ferry_preprocess *settings)
{
    ferry_feeder *feeder = NULL;
    MUST(ferry_feeder_create(t->engine, 0, settings, &feeder, err));
    return feeder;
}

// Sizes that grow, shrink, shrink in one direction alone, and stay.
static void feed_sizes(fixture *t, ferry_preprocess *settings, uint32_t channels)
{
    static const uint32_t sizes[][2] = {{17, 9}, {75, 50}, {20, 90}, {32, 24}, {131, 24}};
    if (settings->width == 0) settings->width = 32, settings->height = 24;
    ferry_feeder *feeder = make_feeder(t, settings);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        ferry_picture host = make_picture(t, sizes[i][0], sizes[i][1], channels, i % 3);
        expect_equal(t, feeder, settings, &host, i % 2 ? FERRY_PICTURE_ON_DEVICE : FERRY_PICTURE_ON_HOST);
        ferry_pinned_free(t->runtime, host.pixels, host.stride_bytes * host.height);
    }
    ferry_feeder_release(feeder);
}

static const char *const devices[] = {"cpu", "cuda"};
static int device_count(void)
{
    return kernel_case_has_cuda() ? 2 : 1;
}

static void pictures__are_resized_as_on_the_host(void **state)
{
    (void)state;
    static const char *const presets[] = {"imagenet", "yolo", "tf", "yolox", "ssd"};
    static const ferry_filter filters[] = {FERRY_FILTER_BILINEAR, FERRY_FILTER_BICUBIC, FERRY_FILTER_NEAREST,
                                           FERRY_FILTER_LANCZOS, FERRY_FILTER_BOX};
    for (int d = 0; d < device_count(); d++) {
        fixture t;
        open_fixture(&t, devices[d], FERRY_F32, "1x3x24x32", preprocess_json);
        for (size_t i = 0; i < sizeof presets / sizeof *presets; i++) {
            ferry_preprocess p;
            MUST(ferry_preprocess_preset(presets[i], &p, err));
            p.filter = filters[i];
            feed_sizes(&t, &p, i % 2 ? 4 : 3);
        }
        close_fixture(&t);
    }
}

static void inputs__may_be_of_any_type_colour_and_layout(void **state)
{
    (void)state;
    static const struct {
        ferry_dtype dtype;
        const char *dims;
        ferry_color color;
        ferry_layout layout;
        uint32_t channels;
    } cases[] = {{FERRY_F16, "1x3x24x32", FERRY_COLOR_BGR, FERRY_LAYOUT_NCHW, 3},
                 {FERRY_U8, "1x24x32x3", FERRY_COLOR_BGR, FERRY_LAYOUT_NHWC, 1},
                 {FERRY_S8, "1x1x24x32", FERRY_COLOR_GRAY, FERRY_LAYOUT_NCHW, 4},
                 {FERRY_F32, "1x24x32x3", FERRY_COLOR_RGB, FERRY_LAYOUT_NHWC, 3},
                 {FERRY_F32, "1x1x24x32", FERRY_COLOR_GRAY, FERRY_LAYOUT_NCHW, 1}};
    for (int d = 0; d < device_count(); d++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            fixture t;
            ferry_preprocess p;
            open_fixture(&t, devices[d], cases[i].dtype, cases[i].dims, preprocess_json);
            ferry_preprocess_default(&p);
            p.mode = i % 2 ? FERRY_RESIZE_LETTERBOX : FERRY_RESIZE_CROP;
            p.color = cases[i].color;
            p.layout = cases[i].layout;
            p.mean[0] = p.mean[2] = 100.25;
            p.std[1] = 1.5;
            feed_sizes(&t, &p, cases[i].channels);
            close_fixture(&t);
        }
}

// Pictures queued one behind another, each followed by an inference: what a program does with a camera.
static void feeding__runs_ahead_of_inferences_on_its_stream(void **state)
{
    (void)state;
    enum { N = 3, ELEMENTS = 3 * 24 * 32 };
    for (int d = 0; d < device_count(); d++) {
        fixture t;
        open_fixture(&t, devices[d], FERRY_F32, "1x3x24x32", preprocess_json);
        ferry_context *context = NULL;
        ferry_picture pictures[N];
        uint16_t *results = ferry_pinned_alloc(t.runtime, N * ELEMENTS * sizeof *results);
        float *x = ferry_memory_alloc(t.runtime, ELEMENTS * sizeof *x), expected[ELEMENTS];
        uint16_t *y = ferry_memory_alloc(t.runtime, ELEMENTS * sizeof *y);
        MUST(ferry_context_create(t.engine, NULL, &context, err));
        MUST(ferry_context_bind(context, 0, x, err));
        MUST(ferry_context_bind(context, 1, y, err));
        ferry_feeder *feeder = make_feeder(&t, NULL); // the engine's own settings, of the input's size
        for (uint32_t i = 0; i < N; i++) {
            pictures[i] = make_picture(&t, 40 + i, 30, 3, 0);
            MUST(ferry_feeder_enqueue(feeder, &pictures[i], FERRY_PICTURE_ON_HOST, x, ELEMENTS * sizeof *x, t.stream,
                                      NULL, err));
            MUST(ferry_context_enqueue(context, t.stream, err));
            MUST(ferry_stream_copy(t.stream, FERRY_COPY_FROM_DEVICE, results + i * ELEMENTS, y, ELEMENTS * sizeof *y,
                                   err));
        }
        MUST(ferry_stream_wait(t.stream, err));
        ferry_feeder_release(feeder);
        ferry_preprocess p;
        ferry_preprocessor *host = NULL;
        MUST(ferry_preprocess_preset("unit", &p, err));
        p.width = 32, p.height = 24;
        MUST(ferry_preprocessor_create(&p, NULL, &host, err));
        for (uint32_t i = 0; i < N; i++) {
            MUST(ferry_preprocessor_run(host, &pictures[i], FERRY_F32, expected, sizeof expected, NULL, err));
            for (size_t e = 0; e < ELEMENTS; e++)
                assert_int_equal(results[i * ELEMENTS + e], ferry_f16_from_f32(expected[e]));
            ferry_pinned_free(t.runtime, pictures[i].pixels, pictures[i].stride_bytes * pictures[i].height);
        }
        ferry_preprocessor_destroy(host);
        ferry_context_release(context);
        ferry_memory_free(t.runtime, x, ELEMENTS * sizeof *x);
        ferry_memory_free(t.runtime, y, ELEMENTS * sizeof *y);
        ferry_pinned_free(t.runtime, results, N * ELEMENTS * sizeof *results);
        close_fixture(&t);
    }
}

static void expect_refusal(ferry_status got, ferry_status wanted, const ferry_error *err, const char *text)
{
    assert_int_equal(got, wanted);
    if (!strstr(err->text, text)) fail_msg("'%s' does not say '%s'", err->text, text);
}

static void feeders__refuse_what_they_cannot_do(void **state)
{
    (void)state;
    for (int d = 0; d < device_count(); d++) {
        fixture t;
        ferry_error err = {.text = ""};
        ferry_feeder *feeder = NULL;
        ferry_preprocess p;
        ferry_preprocess_default(&p);
        open_fixture(&t, devices[d], FERRY_F32, "1x3x24x32", NULL);
        expect_refusal(ferry_feeder_create(t.engine, 0, NULL, &feeder, &err), FERRY_ERR_UNAVAILABLE, &err,
                       "carries no preprocessing");
        if (d == 1)
            expect_refusal(ferry_feeder_create(t.engine, 0, &p, &feeder, &err), FERRY_ERR_UNAVAILABLE, &err,
                           "built without preprocessing");
        assert_null(feeder);
        close_fixture(&t);
        open_fixture(&t, devices[d], FERRY_F32, "1x3x24x32", preprocess_json);
        expect_refusal(ferry_feeder_create(t.engine, 1, NULL, &feeder, &err), FERRY_ERR_INVALID_ARGUMENT, &err,
                       "is no input");
        p.width = 99, p.height = 24;
        expect_refusal(ferry_feeder_create(t.engine, 0, &p, &feeder, &err), FERRY_ERR_INVALID_ARGUMENT, &err, "99");
        feeder = make_feeder(&t, NULL);
        ferry_picture picture = make_picture(&t, 8, 8, 3, 0);
        float *room = ferry_memory_alloc(t.runtime, 64);
        expect_refusal(ferry_feeder_enqueue(feeder, &picture, FERRY_PICTURE_ON_HOST, room, 64, t.stream, NULL, &err),
                       FERRY_ERR_INVALID_ARGUMENT, &err, "the buffer has 64");
        ferry_memory_free(t.runtime, room, 64);
        ferry_pinned_free(t.runtime, picture.pixels, picture.stride_bytes * picture.height);
        ferry_feeder_release(feeder);
        close_fixture(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures__are_resized_as_on_the_host),
        cmocka_unit_test(inputs__may_be_of_any_type_colour_and_layout),
        cmocka_unit_test(feeding__runs_ahead_of_inferences_on_its_stream),
        cmocka_unit_test(feeders__refuse_what_they_cannot_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
