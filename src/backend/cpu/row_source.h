// SPDX-License-Identifier: Apache-2.0
// Where a matrix kernel's rows come from: the lines of a matrix, or the windows of a convolution. The kernels see
// pointers only.
#ifndef FERRY_SRC_BACKEND_CPU_ROW_SOURCE_H_
#define FERRY_SRC_BACKEND_CPU_ROW_SOURCE_H_

#include "backend/reading/conv_shape.h"

typedef enum ferry_row_kind {
    FERRY_ROWS_DENSE = 0, // at one distance: a matrix, or a pointwise convolution
    FERRY_ROWS_TAPS = 1,  // a pointer for each tap of each row
} ferry_row_kind;

/// Most pointers that a task keeps on its stack.
#define FERRY_ROWS_POINTERS 2048

typedef struct ferry_row_source {
    ferry_row_kind kind;
    size_t elem_bytes;
    size_t rows;           // of all pictures
    size_t taps, kc;       // what the kernel is told
    size_t row_stride;     // DENSE: in elements
    ferry_conv_shape conv; // TAPS; else zeroed
    const void *zeros;     // TAPS: kc elements, borrowed
} ferry_row_source;

typedef struct ferry_row_buffer {
    const void *pointers[FERRY_ROWS_POINTERS];
} ferry_row_buffer;

/// The source of a convolution whose input has its channels last. kc: elements that kernels take from each tap (0:
/// c_each). False when the filter is too large for the buffer at `mr` rows a tile.
bool ferry_row_source_conv(const ferry_conv_shape *shape, size_t elem_bytes, size_t mr, size_t kc,
                           ferry_row_source *out);

/// Rows that one tile takes. Tiles are cut evenly: a last one of few rows would cost nearly as much as a full one.
typedef struct ferry_row_tile {
    size_t first, rows;
} ferry_row_tile;

static inline size_t ferry_row_tiles(size_t rows, size_t mr)
{
    return (rows + mr - 1) / mr;
}

/// Tile `i` of `tiles` over `rows` rows.
static inline ferry_row_tile ferry_row_tile_at(size_t rows, size_t tiles, size_t i)
{
    const size_t first = rows * i / tiles;
    return (ferry_row_tile){.first = first, .rows = rows * (i + 1) / tiles - first};
}

/// Most rows (a multiple of mr) that one task should take at a time.
size_t ferry_row_source_block(const ferry_row_source *source, size_t mr);

/// Pointers for rows [row, row + rows), tile by tile as ferry_row_tile_at cuts them: tile i's begin at
/// buffer->pointers[i * taps * mr].
void ferry_row_source_get(const ferry_row_source *source, const void *x, size_t group, size_t row, size_t rows,
                          size_t mr, ferry_row_buffer *buffer);

#endif // FERRY_SRC_BACKEND_CPU_ROW_SOURCE_H_
