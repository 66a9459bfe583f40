// SPDX-License-Identifier: Apache-2.0
// How a depthwise convolution falls into strips: for each output row, the columns whose windows miss no column, and
// those at the borders one by one; and for each strip the taps that lie inside the picture.
#ifndef FERRY_SRC_BACKEND_CPU_DEPTHWISE_SHAPE_H_
#define FERRY_SRC_BACKEND_CPU_DEPTHWISE_SHAPE_H_

#include "backend/cpu/depthwise_f32.h"
#include "backend/reading/conv_shape.h"

/// Most taps of a window: a list of them lies on the stack of each task.
#define FERRY_DEPTHWISE_TAPS 1024

typedef struct ferry_depthwise_span {
    int64_t x_at;         // element of the input under the window's first tap at the first position (may be < 0)
    int64_t first, count; // output columns
    size_t n_taps;
} ferry_depthwise_span;

/// One input and output channel a group, and few enough taps.
bool ferry_conv_is_depthwise(const ferry_conv_shape *shape);

/// Splits output row `row` (of batch x depth x height) and calls `span` for each part, with its taps; weights of tap t
/// begin at t * w_step.
void ferry_depthwise_row(const ferry_conv_shape *shape, size_t row, size_t w_step,
                         void (*span)(void *user, const ferry_depthwise_span *span, const ferry_depthwise_tap *taps),
                         void *user);

#endif // FERRY_SRC_BACKEND_CPU_DEPTHWISE_SHAPE_H_
