// SPDX-License-Identifier: Apache-2.0
// Where a matrix kernel's rows come from: the lines of a matrix, or the windows of a convolution. The kernels see
// pointers only.
#ifndef FERRY_SRC_BACKEND_CPU_ROW_SOURCE_H_
#define FERRY_SRC_BACKEND_CPU_ROW_SOURCE_H_

#include "backend/cpu/conv_shape.h"

typedef enum ferry_row_kind {
    FERRY_ROWS_DENSE = 0,   // one behind another: a matrix, or a pointwise convolution
    FERRY_ROWS_TAPS = 1,    // a pointer for each tap of each row
    FERRY_ROWS_PATCHES = 2, // few channels: the window's elements are gathered first
} ferry_row_kind;

/// Most pointers, and most bytes of gathered windows, that a task keeps on its stack.
#define FERRY_ROWS_POINTERS 2048
#define FERRY_ROWS_PATCH_BYTES 24576

typedef struct ferry_row_source {
    ferry_row_kind kind;
    size_t elem_bytes;
    size_t rows;           // of all pictures
    size_t taps, kc;       // what the kernel is told
    size_t row_stride;     // DENSE: in elements
    ferry_conv_shape conv; // TAPS, PATCHES; DENSE: of a pointwise convolution, else zeroed
    const void *zeros;     // TAPS: kc elements, borrowed
} ferry_row_source;

typedef struct ferry_row_buffer {
    const void *pointers[FERRY_ROWS_POINTERS];
    _Alignas(64) char patches[FERRY_ROWS_PATCH_BYTES];
} ferry_row_buffer;

/// The source of a convolution. PATCHES when each tap has few channels or the input does not lie channels-last; false
/// when the filter is too large for the buffers at `mr` rows a tile. k_multiple: gathered windows are filled up with
/// zeros to a multiple of so many elements.
bool ferry_row_source_conv(const ferry_conv_shape *shape, size_t elem_bytes, size_t mr, size_t k_multiple,
                           ferry_row_source *out);
/// Whether a convolution with these weights gathers its windows: decides the order of packed weights, so it depends on
/// nothing else.
bool ferry_conv_gathers(int64_t c_each);

/// Most rows (a multiple of mr) that one task should take at a time.
size_t ferry_row_source_block(const ferry_row_source *source, size_t mr);

/// Pointers for rows [row, row + rows), tile by tile: tile i's begin at buffer->pointers[i * taps * mr].
void ferry_row_source_get(const ferry_row_source *source, const void *x, size_t group, size_t row, size_t rows,
                          size_t mr, ferry_row_buffer *buffer);

#endif // FERRY_SRC_BACKEND_CPU_ROW_SOURCE_H_
