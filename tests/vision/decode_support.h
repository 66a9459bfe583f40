// SPDX-License-Identifier: Apache-2.0
// Small networks' outputs made by hand, for the decoder tests.
#ifndef FERRY_TESTS_VISION_DECODE_SUPPORT_H_
#define FERRY_TESTS_VISION_DECODE_SUPPORT_H_

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ferry/decode.h"
#include "ferry/preprocess.h"

/// A picture of the input's own size: boxes come out as they are.
static inline ferry_preprocess_geometry identity(uint32_t width, uint32_t height)
{
    return (ferry_preprocess_geometry){.source_width = width,
                                       .source_height = height,
                                       .width = width,
                                       .height = height,
                                       .channels = 3,
                                       .resized_width = width,
                                       .resized_height = height,
                                       .content_width = width,
                                       .content_height = height,
                                       .scale_x = 1,
                                       .scale_y = 1};
}

/// A float tensor with every element at `fill`; `rank` dimensions follow. To be freed with free((void *)view.data).
static inline ferry_tensor_view make_tensor(const char *name, float fill, int rank, ...)
{
    ferry_tensor_view v = {.name = name, .dtype = FERRY_F32, .rank = rank};
    va_list args;
    va_start(args, rank);
    for (int i = 0; i < rank; i++) v.dims[i] = va_arg(args, int);
    va_end(args);
    const int64_t count = ferry_tensor_view_elements(&v);
    float *data = malloc((size_t)count * sizeof *data);
    assert_non_null(data);
    for (int64_t i = 0; i < count; i++) data[i] = fill;
    v.data = data;
    return v;
}

/// The element at the `rank` indices that follow.
static inline float *at(const ferry_tensor_view *v, ...)
{
    int64_t offset = 0;
    va_list args;
    va_start(args, v);
    for (int i = 0; i < v->rank; i++) {
        const int index = va_arg(args, int);
        assert_true(index >= 0 && index < v->dims[i]);
        offset = offset * v->dims[i] + index;
    }
    va_end(args);
    return (float *)(uintptr_t)v->data + offset;
}

static inline void free_tensor(ferry_tensor_view *v)
{
    free((void *)(uintptr_t)v->data);
    v->data = NULL;
}

static inline void assert_ok(ferry_status status, const ferry_error *error)
{
    if (status != FERRY_OK) fail_msg("%s: %s", ferry_status_name(status), error->text);
}

static inline ferry_decoder *get_decoder(const char *preset_or_json)
{
    ferry_decoder *d = NULL;
    ferry_error error = {{0}};
    assert_ok(preset_or_json[0] == '{'
                  ? ferry_decoder_from_json(preset_or_json, strlen(preset_or_json), NULL, &d, &error)
                  : ferry_decoder_parse(preset_or_json, NULL, &d, &error),
              &error);
    return d;
}

static inline ferry_result *get_result(void)
{
    ferry_result *r = NULL;
    assert_int_equal(ferry_result_create(NULL, &r, NULL), FERRY_OK);
    return r;
}

static inline void assert_near(double a, double b, double most)
{
    if (!(fabs(a - b) <= most)) fail_msg("%.9g is not %.9g", a, b);
}

static inline void assert_detection(const ferry_detection *d, int class_index, double score, double x1, double y1,
                                    double x2, double y2)
{
    assert_int_equal(d->class_index, class_index);
    assert_near(d->score, score, 1e-6);
    assert_near(d->x1, x1, 1e-4);
    assert_near(d->y1, y1, 1e-4);
    assert_near(d->x2, x2, 1e-4);
    assert_near(d->y2, y2, 1e-4);
}

/// Decodes with a preset's name or JSON text, for an input (and picture) of width x height.
static inline ferry_result *decode_with(const char *preset_or_json, const ferry_tensor_view *outputs, size_t count,
                                        uint32_t width, uint32_t height, const ferry_decode_options *options)
{
    ferry_decoder *d = get_decoder(preset_or_json);
    ferry_result *r = get_result();
    ferry_error error = {{0}};
    const ferry_preprocess_geometry g = identity(width, height);
    assert_ok(ferry_decoder_run(d, outputs, count, &g, options, r, &error), &error);
    ferry_decoder_destroy(d);
    return r;
}

#endif // FERRY_TESTS_VISION_DECODE_SUPPORT_H_
