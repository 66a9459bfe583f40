// SPDX-License-Identifier: Apache-2.0
// Int8 depthwise convolutions over quads of lines: elements of four neighbouring lines are laid side by side once, and
// every window that they belong to multiplies four of its taps at a time with no more shuffling. Here is how a
// convolution is cut for that, and the kernels.
#ifndef FERRY_SRC_BACKEND_CPU_DEPTHWISE_QUADS_S8_H_
#define FERRY_SRC_BACKEND_CPU_DEPTHWISE_QUADS_S8_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/cpu/finish.h"
#include "ops/window.h"

#define FERRY_DEPTHWISE_QUADS_ROWS 4    // most output rows made at once
#define FERRY_DEPTHWISE_QUADS_COLUMNS 4 // output columns made at once, whether or not there are so many
#define FERRY_DEPTHWISE_QUADS_SLACK 256 // bytes behind laid out elements that laying out may write

/// Some output rows, for some neighbouring columns and units of channels.
typedef struct ferry_depthwise_quads_tile {
    const char *x;                            // quads of the first tap of the first column; [position][unit]
    size_t quads, taps;                       // of lines; columns of the window
    size_t quad_bytes, tap_bytes, step_bytes; // from one to the next; from an output column's to the next one's
    const char *w;                            // units, as packed
    size_t columns, channels;                 // that are stored
    size_t rows;                              // that are stored
    size_t y_step;                            // elements from a column to the next
    int8_t *y[FERRY_DEPTHWISE_QUADS_ROWS];
    const ferry_finish *finish; // of kind CLAMP
} ferry_depthwise_quads_tile;

typedef struct ferry_depthwise_quads_row {
    const char *name;
    uint32_t isa;
    size_t unit; // channels of a unit, whose quads follow each other
    bool biased; // laid out elements are 128 larger
    /// Lays out n elements of four lines. A line whose `moves` is 0 has 64 elements, which repeat; of others it has all
    /// bits set.
    void (*lay)(const int8_t *const lines[4], const size_t moves[4], size_t n, char *to);
    void (*run[FERRY_DEPTHWISE_QUADS_ROWS + 1])(const ferry_depthwise_quads_tile *); // by output rows made at once
} ferry_depthwise_quads_row;

/// NULL when `isa` has none.
const ferry_depthwise_quads_row *ferry_depthwise_quads_pick(uint32_t isa);

/// How weights and attributes, and nothing else, say that a convolution is cut.
typedef struct ferry_depthwise_quads_cut {
    size_t channels, kernel[2], stride[2], dilation; // height, width; of the width
    size_t quads, rows;                              // quads of lines, and output rows made of them at once
    size_t units, unit_bytes;
} ferry_depthwise_quads_cut;

/// False when the window is too large, or not one of two dimensions on neighbouring lines.
bool ferry_depthwise_quads_make(const ferry_depthwise_quads_row *row, int64_t channels, const ferry_window *window,
                                ferry_depthwise_quads_cut *out);

/// w [channels][taps]; `out` has units * unit_bytes: for each channel of a unit the value at which the sum starts,
/// multipliers and biases, then weights [column][quad][output row][channel][line].
void ferry_depthwise_quads_pack(const ferry_depthwise_quads_row *row, const ferry_depthwise_quads_cut *cut,
                                const int8_t *w, const float *mult, const float *bias, char *out);

#endif // FERRY_SRC_BACKEND_CPU_DEPTHWISE_QUADS_S8_H_
