// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/conv_pointers.h"
#include "backend/cpu/row_source.h"

// A block's rows should stay in the second-level cache while every panel of weights passes by.
#define BLOCK_BYTES (192 * 1024)
#define BLOCK_ROWS 96

// Whether all positions lie equally far from the next. Those of a formed input need not, even where its window is
// pointwise: where a window's row is one tap, windows overlap, and fewer begin on a line than it has positions.
static bool is_even(const ferry_conv_shape *s)
{
    int64_t next = s->x_step[2];
    for (int32_t i = 2; i >= 0; i--) {
        if (s->in[i] != 1 && s->x_step[i] != next) return false;
        next *= s->in[i];
    }
    return s->batch <= 1 || s->x_batch == next;
}

bool ferry_row_source_conv(const ferry_conv_shape *shape, size_t elem_bytes, size_t mr, size_t kc,
                           ferry_row_source *out)
{
    size_t rows = 0;
    if (!ferry_mul_size((size_t)shape->batch, (size_t)shape->out_plane, &rows)) return false;
    *out = (ferry_row_source){.kind = FERRY_ROWS_TAPS,
                              .elem_bytes = elem_bytes,
                              .rows = rows,
                              .taps = (size_t)shape->taps,
                              .kc = kc ? kc : (size_t)shape->c_each,
                              .row_stride = (size_t)shape->x_step[2],
                              .conv = *shape};
    if (shape->group == 1 && ferry_conv_shape_is_pointwise(shape) && is_even(shape)) out->kind = FERRY_ROWS_DENSE;
    return out->taps <= FERRY_ROWS_POINTERS / mr;
}

size_t ferry_row_source_block(const ferry_row_source *source, size_t mr)
{
    // Neighbouring windows share most of what they read: a row adds about one tap.
    const size_t row_bytes = source->kc * source->elem_bytes;
    size_t block = BLOCK_ROWS;
    if (row_bytes && BLOCK_BYTES / row_bytes < block) block = BLOCK_BYTES / row_bytes;
    if (FERRY_ROWS_POINTERS / source->taps < block) block = FERRY_ROWS_POINTERS / source->taps;
    block = block < mr ? mr : block / mr * mr;
    if (source->rows <= block) return block;
    // Evenly, as tiles are: a last block of few rows would read all weights for little.
    const size_t blocks = (source->rows + block - 1) / block, each = (source->rows + blocks - 1) / blocks;
    return (each + mr - 1) / mr * mr;
}

void ferry_row_source_get(const ferry_row_source *source, const void *x, size_t group, size_t row, size_t rows,
                          size_t mr, ferry_row_buffer *buffer)
{
    const size_t tiles = ferry_row_tiles(rows, mr);
    for (size_t i = 0; i < tiles; i++) {
        const ferry_row_tile tile = ferry_row_tile_at(rows, tiles, i);
        const void **pointers = buffer->pointers + i * source->taps * mr;
        switch (source->kind) {
        case FERRY_ROWS_DENSE:
            for (size_t k = 0; k < tile.rows; k++)
                pointers[k] = (const char *)x + (row + tile.first + k) * source->row_stride * source->elem_bytes;
            break;
        case FERRY_ROWS_TAPS:
            ferry_conv_pointers(&source->conv, x, source->elem_bytes, source->zeros, group, row + tile.first, tile.rows,
                                mr, pointers);
            break;
        }
    }
}
