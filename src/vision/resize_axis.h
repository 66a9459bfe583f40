// SPDX-License-Identifier: Apache-2.0
// Filter weights of one direction of a resize, and the plan that holds both.
#ifndef FERRY_SRC_VISION_RESIZE_AXIS_H_
#define FERRY_SRC_VISION_RESIZE_AXIS_H_

#include "base/heap.h"
#include "base/status.h"
#include "ferry/picture.h"

/// Weights are fixed point with this many fraction bits: 8 bits for the value and 2 for the overshoot of negative lobes
/// remain of 32.
enum { FERRY_RESIZE_FRACTION_BITS = 32 - 8 - 2 };

/// What to compute of one direction: the source interval [from, to) becomes `size` pixels, of which [first, first +
/// count) are wanted.
typedef struct ferry_resize_span {
    uint32_t source; // pixels that the source has
    float from, to;
    uint32_t size;
    uint32_t first, count;
} ferry_resize_span;

/// For each wanted pixel where its window in the source begins, how long it is, and `taps` weights (fewer are used at
/// edges).
typedef struct ferry_resize_axis {
    uint32_t count, taps;
    uint32_t *begin;  // [count], owned
    uint32_t *length; // [count]; 1 everywhere when `copies`
    int32_t *weights; // [count][taps]; NULL when `copies`
    bool copies;      // every pixel is one of the source's, as it is: nearest, or nothing to do
    bool consecutive; // begin[i] == begin[0] + i
    size_t bytes;     // of the one allocation, at `begin`
} ferry_resize_axis;

ferry_status ferry_resize_axis_init(ferry_resize_axis *axis, const ferry_heap *heap, const ferry_resize_span *span,
                                    ferry_filter filter, ferry_error *err);
void ferry_resize_axis_deinit(ferry_resize_axis *axis, const ferry_heap *heap);

/// A resize that can be repeated without memory being taken. Zeroed = none.
typedef struct ferry_resize_plan {
    ferry_resize_axis x, y;
    ferry_resize_span span_x, span_y;
    ferry_filter filter;
    uint32_t channels;
    // Pillow's order since 13.0 (all before go across first): down first when the height loses more than twice the
    // pixels that the width loses. For filters with negative lobes the order shows, because values are clipped in
    // between.
    bool down_first;
    // Across first: rows of the source that the second pass reads. Down first: columns.
    uint32_t middle_first, middle_count;
    uint8_t *middle; // [middle_count][x.count][channels], or one row of [middle_count][channels]; owned
    int32_t *sums;   // a row's; owned
    size_t middle_bytes, sums_bytes;
} ferry_resize_plan;

/// `plan` must be zeroed or deinitialised.
ferry_status ferry_resize_plan_init(ferry_resize_plan *plan, const ferry_heap *heap, const ferry_resize_span *x,
                                    const ferry_resize_span *y, uint32_t channels, ferry_filter filter,
                                    ferry_error *err);
void ferry_resize_plan_deinit(ferry_resize_plan *plan, const ferry_heap *heap);

/// Fills `out` (y.count rows of x.count pixels, `out_stride` bytes apart). `source` is of the size and channels planned
/// for.
void ferry_resize_run(const ferry_resize_plan *plan, const ferry_picture *source, uint8_t *out, size_t out_stride);

#endif // FERRY_SRC_VISION_RESIZE_AXIS_H_
