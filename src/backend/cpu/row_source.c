// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/row_source.h"

// Below this many channels a tap's inner loop is too short to pay for itself.
#define FEW_CHANNELS 8
// A block's rows should stay in the second-level cache while every panel of weights passes by.
#define BLOCK_BYTES (192 * 1024)
#define BLOCK_ROWS 96

bool ferry_conv_gathers(int64_t c_each)
{
    return c_each < FEW_CHANNELS;
}

bool ferry_row_source_conv(const ferry_conv_shape *shape, size_t elem_bytes, size_t mr, size_t k_multiple,
                           ferry_row_source *out)
{
    size_t rows = 0, k = 0;
    if (!ferry_mul_size((size_t)shape->batch, (size_t)shape->out_plane, &rows) ||
        !ferry_mul_size((size_t)shape->taps, (size_t)shape->c_each, &k) || k > SIZE_MAX / 64)
        return false;
    *out = (ferry_row_source){.elem_bytes = elem_bytes, .rows = rows, .conv = *shape};
    if (ferry_conv_gathers(shape->c_each)) {
        out->kind = FERRY_ROWS_PATCHES;
        out->taps = 1;
        out->kc = (k + k_multiple - 1) / k_multiple * k_multiple;
        return out->kc * elem_bytes * mr <= FERRY_ROWS_PATCH_BYTES;
    }
    out->kc = (size_t)shape->c_each;
    out->taps = (size_t)shape->taps;
    if (shape->group == 1 && ferry_conv_shape_is_pointwise(shape)) {
        out->kind = FERRY_ROWS_DENSE;
        out->row_stride = (size_t)shape->c_in;
        return true;
    }
    out->kind = FERRY_ROWS_TAPS;
    return out->taps * mr <= FERRY_ROWS_POINTERS;
}

size_t ferry_row_source_block(const ferry_row_source *source, size_t mr)
{
    const size_t row_bytes = source->taps * source->kc * source->elem_bytes;
    size_t block = BLOCK_ROWS;
    if (row_bytes && BLOCK_BYTES / row_bytes < block) block = BLOCK_BYTES / row_bytes;
    if (FERRY_ROWS_POINTERS / source->taps < block) block = FERRY_ROWS_POINTERS / source->taps;
    if (source->kind == FERRY_ROWS_PATCHES && FERRY_ROWS_PATCH_BYTES / row_bytes < block)
        block = FERRY_ROWS_PATCH_BYTES / row_bytes;
    return block < mr ? mr : block / mr * mr;
}

void ferry_row_source_get(const ferry_row_source *source, const void *x, size_t group, size_t row, size_t rows,
                          size_t mr, ferry_row_buffer *buffer)
{
    const size_t row_bytes = source->taps * source->kc * source->elem_bytes;
    switch (source->kind) {
    case FERRY_ROWS_DENSE:
        for (size_t i = 0; i < rows; i++)
            buffer->pointers[i] = (const char *)x + (row + i) * source->row_stride * source->elem_bytes;
        break;
    case FERRY_ROWS_TAPS:
        for (size_t i = 0; i < rows; i += mr)
            ferry_conv_pointers(&source->conv, x, source->elem_bytes, source->zeros, group, row + i,
                                rows - i < mr ? rows - i : mr, mr, buffer->pointers + i * source->taps);
        break;
    case FERRY_ROWS_PATCHES:
        ferry_conv_patches(&source->conv, x, source->elem_bytes, group, row, rows, buffer->patches, row_bytes);
        for (size_t i = 0; i < rows; i++) buffer->pointers[i] = buffer->patches + i * row_bytes;
        break;
    }
}
