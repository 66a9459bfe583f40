// SPDX-License-Identifier: Apache-2.0
#include "vision/preprocess_work.h"

#include <string.h>

#include "vision/channel_table.h"
#include "vision/preprocess_internal.h"
#include "vision/resize_axis.h"

enum { CHANNEL_ENTRIES = 257 };

static size_t axis_words(const ferry_resize_axis *axis)
{
    return (size_t)axis->count * (2 + (axis->copies ? 0 : axis->taps));
}

// `skipped`: pixels that the plan's windows do not count.
static void put_axis(const ferry_resize_axis *axis, uint32_t skipped, int32_t *tables, uint32_t *at,
                     ferry_preprocess_axis *out)
{
    out->taps = axis->copies ? 0 : axis->taps;
    out->begin_at = *at;
    out->length_at = out->begin_at + axis->count;
    out->weights_at = out->length_at + axis->count;
    for (uint32_t i = 0; i < axis->count; i++) {
        tables[out->begin_at + i] = (int32_t)(axis->begin[i] + skipped);
        tables[out->length_at + i] = (int32_t)axis->length[i];
    }
    const size_t weights = (size_t)axis->count * out->taps;
    if (weights) memcpy(tables + out->weights_at, axis->weights, weights * sizeof *tables);
    *at = out->weights_at + (uint32_t)weights;
}

static ferry_status put_tables(ferry_preprocess_work *w, const ferry_preprocess *settings,
                               const ferry_resize_plan *plan, ferry_dtype dtype, ferry_error *err)
{
    const size_t words = axis_words(&plan->x) + axis_words(&plan->y) + (size_t)w->geometry.channels * CHANNEL_ENTRIES;
    if (words > INT32_MAX / 2 || !(w->tables = ferry_heap_alloc_array(&w->heap, words, sizeof *w->tables)))
        return ferry_fail_memory(err, "tables of preprocessing");
    w->tables_bytes = words * sizeof *w->tables;
    uint32_t at = 0;
    const bool counts_from_middle = plan->down_first && !plan->y.copies;
    put_axis(&plan->x, counts_from_middle ? plan->middle_first : 0, w->tables, &at, &w->x);
    put_axis(&plan->y, 0, w->tables, &at, &w->y);
    w->channels_at = at;
    ferry_channel_table channels[3];
    ferry_channel_tables_make(settings, dtype, channels);
    for (uint32_t c = 0; c < w->geometry.channels; c++, at += CHANNEL_ENTRIES) {
        memcpy(w->tables + at, channels[c].of_byte, sizeof channels[c].of_byte);
        memcpy(w->tables + at + 256, &channels[c].pad, sizeof channels[c].pad);
    }
    return FERRY_OK;
}

static ferry_status make(ferry_preprocess_work *w, const ferry_preprocess *settings, const ferry_picture *picture,
                         ferry_dtype dtype, ferry_error *err)
{
    ferry_preprocess_geometry *g = &w->geometry;
    FERRY_TRY(ferry_preprocess_plan(settings, picture->width, picture->height, g, err));
    w->source_channels = picture->channels;
    w->source_stride = picture->stride_bytes;
    w->grey = settings->color == FERRY_COLOR_GRAY && picture->channels > 1;
    w->flipped = settings->color == FERRY_COLOR_BGR;
    w->planar = settings->layout == FERRY_LAYOUT_NCHW;
    w->element_bytes = (uint32_t)ferry_dtype_bytes(dtype);
    const uint32_t channels = picture->channels == 1 || w->grey ? 1 : 3;
    ferry_resize_span x, y;
    ferry_preprocess_spans(g, &x, &y);
    ferry_resize_plan plan = {.channels = 0};
    FERRY_TRY(ferry_resize_plan_init(&plan, &w->heap, &x, &y, channels, settings->filter, err));
    w->down_first = plan.down_first;
    const ferry_status s = put_tables(w, settings, &plan, dtype, err);
    ferry_resize_plan_deinit(&plan, &w->heap);
    return s;
}

ferry_status ferry_preprocess_work_init(ferry_preprocess_work *out, const ferry_preprocess *settings,
                                        const ferry_picture *picture, ferry_dtype dtype, const ferry_heap *heap,
                                        ferry_error *err)
{
    *out = (ferry_preprocess_work){.heap = *ferry_heap_or_default(heap)};
    FERRY_TRY(ferry_preprocess_check_dtype(dtype, err));
    const ferry_status s = make(out, settings, picture, dtype, err);
    if (s != FERRY_OK) ferry_preprocess_work_deinit(out);
    return s;
}

void ferry_preprocess_work_deinit(ferry_preprocess_work *work)
{
    ferry_heap_free(&work->heap, work->tables, work->tables_bytes);
    *work = (ferry_preprocess_work){.tables = NULL};
}
