// SPDX-License-Identifier: Apache-2.0
// A window of copied input lines that moves down the picture, for depthwise convolutions in int8: each line is copied
// once, and padding, strides and forms are the copy's affair.
#ifndef FERRY_SRC_BACKEND_CPU_DEPTHWISE_WINDOW_S8_H_
#define FERRY_SRC_BACKEND_CPU_DEPTHWISE_WINDOW_S8_H_

#include "backend/cpu/depthwise_lines_s8.h"
#include "backend/cpu/elementwise_s8.h"
#include "backend/reading/conv_shape.h"
#include "base/thread_pool.h"

#define FERRY_DEPTHWISE_WINDOW_LEAST 8 // columns that a window must be able to hold beside those that they reach

typedef struct ferry_depthwise_window {
    const ferry_depthwise_lines_row *row;
    ferry_depthwise_lines_cut cut;
    ferry_conv_shape shape; // its input has channels last
    ferry_finish finish;
    ferry_look_up_s8 look_up; // for the finish's table
    int32_t x_zero;           // what the padding holds
    // What a window takes, set by fit: columns and blocks; bytes of a column, of a phase of the stride, and of a line.
    size_t columns, blocks, column_bytes, phase_bytes, line_bytes;
    // Of each tap: its line in the window, and where it begins on it.
    uint32_t tap_lines[FERRY_DEPTHWISE_LINES_TAPS], tap_offsets[FERRY_DEPTHWISE_LINES_TAPS];
} ferry_depthwise_window;

/// Chooses columns and blocks for row, cut and an output of that width. False when a window's lines would not fit.
bool ferry_depthwise_window_fit(ferry_depthwise_window *window, size_t width);

/// packed: by ferry_depthwise_lines_pack.
void ferry_depthwise_window_run(const ferry_depthwise_window *window, ferry_thread_pool *pool, const int8_t *x,
                                const char *packed, int8_t *y);

#endif // FERRY_SRC_BACKEND_CPU_DEPTHWISE_WINDOW_S8_H_
