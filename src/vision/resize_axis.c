// SPDX-License-Identifier: Apache-2.0
// Filter weights that agree with Pillow's to the last bit, so that a network trained behind Pillow sees the same
// pixels. What decides the last bit: the box is float, everything else double; windows are rounded half up; weights are
// divided by their sum before they are rounded to fixed point, halves away from zero.
#include "vision/resize_axis.h"

#include <math.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

static double sinc(double x)
{
    return x == 0.0 ? 1.0 : sin(x * PI) / (x * PI);
}

// How far each filter reaches, in pixels of the smaller side.
static double filter_reach(ferry_filter filter)
{
    switch (filter) {
    case FERRY_FILTER_BOX:
        return 0.5;
    case FERRY_FILTER_BILINEAR:
    case FERRY_FILTER_HAMMING:
        return 1.0;
    case FERRY_FILTER_BICUBIC:
        return 2.0;
    case FERRY_FILTER_LANCZOS:
        return 3.0;
    case FERRY_FILTER_NEAREST:
        break;
    }
    return 0.0;
}

static double filter_value(ferry_filter filter, double x)
{
    const double d = fabs(x);
    switch (filter) {
    case FERRY_FILTER_BOX:
        return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
    case FERRY_FILTER_BILINEAR:
        return d < 1.0 ? 1.0 - d : 0.0;
    case FERRY_FILTER_HAMMING:
        // The window's constants are floats in Pillow.
        return d >= 1.0 ? 0.0 : d == 0.0 ? 1.0 : sin(d * PI) / (d * PI) * (0.54f + 0.46f * cos(d * PI));
    case FERRY_FILTER_BICUBIC:
        // Keys' cubic with a = -0.5.
        if (d < 1.0) return (1.5 * d - 2.5) * d * d + 1.0;
        return d < 2.0 ? (((d - 5.0) * d + 8.0) * d - 4.0) * -0.5 : 0.0;
    case FERRY_FILTER_LANCZOS:
        return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0;
    case FERRY_FILTER_NEAREST:
        break;
    }
    return 0.0;
}

static int32_t to_fixed(double weight)
{
    const double scaled = weight * (1 << FERRY_RESIZE_FRACTION_BITS);
    return (int32_t)(weight < 0 ? scaled - 0.5 : scaled + 0.5);
}

static void fill_window(ferry_resize_axis *axis, uint32_t i, const ferry_resize_span *span, ferry_filter filter,
                        double scale, double widen, double *weights)
{
    const double center = span->from + (span->first + i + 0.5) * scale;
    const double reach = filter_reach(filter) * widen;
    const double inverse = 1.0 / widen;
    const double low = center - reach + 0.5, high = center + reach + 0.5;
    const uint32_t begin = low > 0.0 ? (uint32_t)low : 0;
    const uint32_t end = high < span->source ? (uint32_t)high : span->source;
    const uint32_t length = end > begin ? end - begin : 0;
    double sum = 0.0;
    for (uint32_t k = 0; k < length; k++) {
        weights[k] = filter_value(filter, ((double)k + begin - center + 0.5) * inverse);
        sum += weights[k];
    }
    axis->begin[i] = begin;
    axis->length[i] = length;
    int32_t *row = axis->weights + (size_t)i * axis->taps;
    for (uint32_t k = 0; k < length; k++) row[k] = to_fixed(sum != 0.0 ? weights[k] / sum : weights[k]);
}

// Pillow walks to the pixel by adding up the step, and so does this, for the same rounding.
static void fill_nearest(ferry_resize_axis *axis, const ferry_resize_span *span, double scale)
{
    double at = span->from + scale * 0.5;
    for (uint32_t i = 0; i < span->first; i++) at += scale;
    for (uint32_t i = 0; i < span->count; i++, at += scale) {
        const uint32_t pixel = at > 0.0 ? (uint32_t)at : 0;
        axis->begin[i] = pixel < span->source ? pixel : span->source - 1;
        axis->length[i] = 1;
    }
}

static ferry_status take_memory(ferry_resize_axis *axis, const ferry_heap *heap, ferry_error *err)
{
    size_t weights = 0, bytes = 0;
    if (!ferry_mul_size((size_t)axis->count * sizeof *axis->weights, axis->copies ? 0 : axis->taps, &weights) ||
        !ferry_add_size(weights, (size_t)axis->count * 2 * sizeof *axis->begin, &bytes)) {
        return ferry_fail_memory(err, "resize weights");
    }
    axis->begin = ferry_heap_alloc(heap, bytes);
    if (!axis->begin) return ferry_fail_memory(err, "resize weights");
    axis->bytes = bytes;
    axis->length = axis->begin + axis->count;
    if (!axis->copies) axis->weights = (int32_t *)(axis->length + axis->count);
    return FERRY_OK;
}

ferry_status ferry_resize_axis_init(ferry_resize_axis *axis, const ferry_heap *heap, const ferry_resize_span *span,
                                    ferry_filter filter, ferry_error *err)
{
    memset(axis, 0, sizeof *axis);
    axis->count = span->count;
    const double scale = (double)(span->to - span->from) / span->size;
    const bool same = span->size == span->source && span->from == 0.0f && span->to == (float)span->size;
    axis->copies = same || filter == FERRY_FILTER_NEAREST;
    const double widen = scale < 1.0 ? 1.0 : scale;
    axis->taps = (uint32_t)ceil(filter_reach(filter) * widen) * 2 + 1;
    FERRY_TRY(take_memory(axis, heap, err));
    if (axis->copies) {
        fill_nearest(axis, span, same ? 1.0 : scale);
    } else {
        double *weights = ferry_heap_alloc_array(heap, axis->taps, sizeof *weights);
        if (!weights) {
            ferry_resize_axis_deinit(axis, heap);
            return ferry_fail_memory(err, "resize weights");
        }
        for (uint32_t i = 0; i < axis->count; i++) fill_window(axis, i, span, filter, scale, widen, weights);
        ferry_heap_free(heap, weights, axis->taps * sizeof *weights);
    }
    axis->consecutive = axis->copies;
    for (uint32_t i = 0; i < axis->count && axis->consecutive; i++)
        axis->consecutive = axis->begin[i] == axis->begin[0] + i;
    return FERRY_OK;
}

void ferry_resize_axis_deinit(ferry_resize_axis *axis, const ferry_heap *heap)
{
    ferry_heap_free(heap, axis->begin, axis->bytes);
    memset(axis, 0, sizeof *axis);
}
