// SPDX-License-Identifier: Apache-2.0
// Micro-kernels of depthwise convolutions in float: one output line of a few channels, whose filters stay in registers
// while the window slides.
#ifndef FERRY_SRC_BACKEND_CPU_DEPTHWISE_LINE_F32_H_
#define FERRY_SRC_BACKEND_CPU_DEPTHWISE_LINE_F32_H_

#include <stddef.h>
#include <stdint.h>

#include "backend/cpu/finish.h"
#include "backend/reading/conv_shape.h"

/// Most lines of a window.
#define FERRY_DEPTHWISE_LINES 16

typedef struct ferry_depthwise_line {
    const float *x[FERRY_DEPTHWISE_LINES]; // input lines under the window; those beside the picture are not read
    size_t lines, first_line, end_line;    // of the window, and those that lie in the picture
    size_t taps;                           // of a line of the window
    ptrdiff_t left;                        // input column under the first tap at output column 0; may be < 0
    size_t in_width, out_width, stride, dilation;
    size_t x_step; // elements between neighbouring input columns
    const float *w, *bias;
    size_t w_step; // elements between taps of w; taps go line by line
    float *y;
    size_t y_step;   // elements between neighbouring output columns
    size_t channels; // any number
    bool x_padded;   // x may be read up to the next multiple of FERRY_DEPTHWISE_PAD channels
    const ferry_finish *finish;
} ferry_depthwise_line;

/// Every element is bias + tap 0 + tap 1 ..., in that order, without those beside the picture.
typedef void (*ferry_depthwise_line_kernel)(const ferry_depthwise_line *line);

ferry_depthwise_line_kernel ferry_depthwise_line_pick(uint32_t isa);

/// Planes, and not too many lines.
bool ferry_depthwise_line_takes(const ferry_conv_shape *shape);

/// Fills in where output line `out_line` of a picture looks. `picture` has its channels last; of line h, `ring` > 0:
/// the one at h modulo ring; 0: h.
void ferry_depthwise_line_window(ferry_depthwise_line *line, const ferry_conv_shape *shape, int64_t out_line,
                                 const float *picture, int64_t ring);

#endif // FERRY_SRC_BACKEND_CPU_DEPTHWISE_LINE_F32_H_
