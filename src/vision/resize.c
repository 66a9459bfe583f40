// SPDX-License-Identifier: Apache-2.0
// Resizing in two passes, each rounded to 8 bits and in the order in which Pillow does it.
#include <string.h>

#include "vision/picture_internal.h"
#include "vision/resize_axis.h"

static inline uint8_t clip8(int32_t fixed)
{
    const int32_t v = fixed >> FERRY_RESIZE_FRACTION_BITS;
    return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v;
}

#define HALF (1 << (FERRY_RESIZE_FRACTION_BITS - 1))

static void row_across_1(const ferry_resize_axis *x, const uint8_t *restrict from, uint8_t *restrict to)
{
    for (uint32_t i = 0; i < x->count; i++) {
        const int32_t *w = x->weights + (size_t)i * x->taps;
        const uint8_t *p = from + x->begin[i];
        int32_t sum = HALF;
        for (uint32_t k = 0; k < x->length[i]; k++) sum += p[k] * w[k];
        to[i] = clip8(sum);
    }
}

static void row_across_3(const ferry_resize_axis *x, const uint8_t *restrict from, uint8_t *restrict to)
{
    for (uint32_t i = 0; i < x->count; i++) {
        const int32_t *w = x->weights + (size_t)i * x->taps;
        const uint8_t *p = from + (size_t)x->begin[i] * 3;
        int32_t r = HALF, g = HALF, b = HALF;
        for (uint32_t k = 0; k < x->length[i]; k++, p += 3) {
            r += p[0] * w[k];
            g += p[1] * w[k];
            b += p[2] * w[k];
        }
        to[3 * (size_t)i] = clip8(r);
        to[3 * (size_t)i + 1] = clip8(g);
        to[3 * (size_t)i + 2] = clip8(b);
    }
}

static void row_across_4(const ferry_resize_axis *x, const uint8_t *restrict from, uint8_t *restrict to)
{
    for (uint32_t i = 0; i < x->count; i++) {
        const int32_t *w = x->weights + (size_t)i * x->taps;
        const uint8_t *p = from + (size_t)x->begin[i] * 4;
        int32_t sum[4] = {HALF, HALF, HALF, HALF};
        for (uint32_t k = 0; k < x->length[i]; k++, p += 4) {
            for (int c = 0; c < 4; c++) sum[c] += p[c] * w[k];
        }
        for (int c = 0; c < 4; c++) to[4 * (size_t)i + (size_t)c] = clip8(sum[c]);
    }
}

static void row_copied(const ferry_resize_axis *x, uint32_t channels, const uint8_t *restrict from,
                       uint8_t *restrict to)
{
    if (x->consecutive) {
        memcpy(to, from + (size_t)x->begin[0] * channels, (size_t)x->count * channels);
        return;
    }
    for (uint32_t i = 0; i < x->count; i++) {
        const uint8_t *p = from + (size_t)x->begin[i] * channels;
        for (uint32_t c = 0; c < channels; c++) *to++ = p[c];
    }
}

static void row_across(const ferry_resize_plan *plan, const uint8_t *from, uint8_t *to)
{
    if (plan->x.copies)
        row_copied(&plan->x, plan->channels, from, to);
    else if (plan->channels == 1)
        row_across_1(&plan->x, from, to);
    else if (plan->channels == 3)
        row_across_3(&plan->x, from, to);
    else
        row_across_4(&plan->x, from, to);
}

// Row by row into the sums, so that the inner loop runs over `n` consecutive bytes. `from` is the window's first row.
static void row_down(const ferry_resize_plan *plan, uint32_t i, const uint8_t *restrict from, size_t stride, size_t n,
                     uint8_t *restrict to)
{
    const int32_t *w = plan->y.weights + (size_t)i * plan->y.taps;
    int32_t *restrict sums = plan->sums;
    for (size_t j = 0; j < n; j++) sums[j] = HALF;
    for (uint32_t k = 0; k < plan->y.length[i]; k++, from += stride) {
        const int32_t weight = w[k];
        for (size_t j = 0; j < n; j++) sums[j] += from[j] * weight;
    }
    for (size_t j = 0; j < n; j++) to[j] = clip8(sums[j]);
}

static void run_across_first(const ferry_resize_plan *plan, const ferry_picture *source, uint8_t *out,
                             size_t out_stride)
{
    const size_t n = (size_t)plan->x.count * plan->channels;
    for (uint32_t i = 0; i < plan->middle_count; i++) {
        row_across(plan, ferry_picture_row(source, plan->middle_first + i), plan->middle + i * n);
    }
    for (uint32_t i = 0; i < plan->y.count; i++) {
        row_down(plan, i, plan->middle + (plan->y.begin[i] - plan->middle_first) * n, n, n, out + i * out_stride);
    }
}

// The horizontal windows count from middle_first here.
static void run_down_first(const ferry_resize_plan *plan, const ferry_picture *source, uint8_t *out, size_t out_stride)
{
    const size_t n = (size_t)plan->middle_count * plan->channels;
    for (uint32_t i = 0; i < plan->y.count; i++) {
        const uint8_t *from = ferry_picture_row(source, plan->y.begin[i]) + (size_t)plan->middle_first * plan->channels;
        row_down(plan, i, from, source->stride_bytes, n, plan->middle);
        row_across(plan, plan->middle, out + i * out_stride);
    }
}

void ferry_resize_run(const ferry_resize_plan *plan, const ferry_picture *source, uint8_t *out, size_t out_stride)
{
    if (plan->y.copies) {
        for (uint32_t i = 0; i < plan->y.count; i++) {
            row_across(plan, ferry_picture_row(source, plan->y.begin[i]), out + i * out_stride);
        }
    } else if (plan->down_first) {
        run_down_first(plan, source, out, out_stride);
    } else {
        run_across_first(plan, source, out, out_stride);
    }
}

// The part of the source that an axis reads: *out_first and how many from there.
static void find_reach(const ferry_resize_axis *axis, uint32_t *out_first, uint32_t *out_count)
{
    uint32_t first = axis->begin[0], end = 0;
    for (uint32_t i = 0; i < axis->count; i++) {
        if (axis->begin[i] < first) first = axis->begin[i];
        if (axis->begin[i] + axis->length[i] > end) end = axis->begin[i] + axis->length[i];
    }
    *out_first = first;
    *out_count = end > first ? end - first : 0;
}

static ferry_status take_scratch(ferry_resize_plan *plan, const ferry_heap *heap, ferry_error *err)
{
    if (plan->y.copies) return FERRY_OK;
    find_reach(plan->down_first ? &plan->x : &plan->y, &plan->middle_first, &plan->middle_count);
    const size_t n = (size_t)(plan->down_first ? plan->middle_count : plan->x.count) * plan->channels;
    size_t bytes = 0;
    if (!ferry_mul_size(n, plan->down_first ? 1 : plan->middle_count, &bytes))
        return ferry_fail_memory(err, "resize rows");
    plan->middle = ferry_heap_alloc_uninit(heap, bytes);
    if (!plan->middle) return ferry_fail_memory(err, "resize rows");
    plan->middle_bytes = bytes;
    plan->sums = ferry_heap_alloc_uninit(heap, n * sizeof *plan->sums);
    if (!plan->sums) return ferry_fail_memory(err, "resize rows");
    plan->sums_bytes = n * sizeof *plan->sums;
    if (!plan->down_first) return FERRY_OK;
    for (uint32_t i = 0; i < plan->x.count; i++) plan->x.begin[i] -= plan->middle_first;
    return FERRY_OK;
}

// Sizes of the whole picture and the whole result count, not of the box or the part that is wanted.
static bool goes_down_first(const ferry_resize_span *x, const ferry_resize_span *y)
{
    const int64_t lost_height = (int64_t)y->source - y->size, lost_width = (int64_t)x->source - x->size;
    return lost_height > 0 && lost_height > 2 * lost_width;
}

ferry_status ferry_resize_plan_init(ferry_resize_plan *plan, const ferry_heap *heap, const ferry_resize_span *x,
                                    const ferry_resize_span *y, uint32_t channels, ferry_filter filter,
                                    ferry_error *err)
{
    memset(plan, 0, sizeof *plan);
    plan->span_x = *x;
    plan->span_y = *y;
    plan->channels = channels;
    plan->filter = filter;
    plan->down_first = goes_down_first(x, y);
    ferry_status s = ferry_resize_axis_init(&plan->x, heap, x, filter, err);
    if (s == FERRY_OK) s = ferry_resize_axis_init(&plan->y, heap, y, filter, err);
    if (s == FERRY_OK) s = take_scratch(plan, heap, err);
    if (s != FERRY_OK) ferry_resize_plan_deinit(plan, heap);
    return s;
}

void ferry_resize_plan_deinit(ferry_resize_plan *plan, const ferry_heap *heap)
{
    ferry_resize_axis_deinit(&plan->x, heap);
    ferry_resize_axis_deinit(&plan->y, heap);
    ferry_heap_free(heap, plan->middle, plan->middle_bytes);
    ferry_heap_free(heap, plan->sums, plan->sums_bytes);
    memset(plan, 0, sizeof *plan);
}

static bool box_fits(const ferry_picture_box *box, const ferry_picture *source)
{
    // Written so that NaN is refused too.
    return box->left >= 0 && box->top >= 0 && box->right <= (float)source->width &&
           box->bottom <= (float)source->height && box->left < box->right && box->top < box->bottom;
}

ferry_status ferry_picture_resize(const ferry_picture *source, const ferry_picture_box *box, uint32_t width,
                                  uint32_t height, ferry_filter filter, const ferry_heap *heap, ferry_picture *out,
                                  ferry_error *error)
{
    memset(out, 0, sizeof *out);
    FERRY_TRY(ferry_picture_check(source, error));
    if (!ferry_filter_name(filter)) {
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "resize filter %d is unknown", (int)filter);
    }
    const ferry_picture_box whole = {0, 0, (float)source->width, (float)source->height};
    if (!box) box = &whole;
    if (!box_fits(box, source)) {
        return ferry_fail(error, FERRY_ERR_INVALID_ARGUMENT, "box %g,%g,%g,%g does not lie in a picture of %ux%u",
                          (double)box->left, (double)box->top, (double)box->right, (double)box->bottom, source->width,
                          source->height);
    }
    heap = ferry_heap_or_default(heap);
    FERRY_TRY(ferry_picture_init(out, heap, width, height, source->channels, error));
    const ferry_resize_span x = {source->width, box->left, box->right, width, 0, width};
    const ferry_resize_span y = {source->height, box->top, box->bottom, height, 0, height};
    ferry_resize_plan plan;
    const ferry_status s = ferry_resize_plan_init(&plan, heap, &x, &y, source->channels, filter, error);
    if (s == FERRY_OK) {
        ferry_resize_run(&plan, source, out->pixels, out->stride_bytes);
        ferry_resize_plan_deinit(&plan, heap);
    } else {
        ferry_picture_deinit(out);
    }
    return s;
}
