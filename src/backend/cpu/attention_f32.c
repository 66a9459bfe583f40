// SPDX-License-Identifier: Apache-2.0
// Attention in float: both products by the tiles of gemm_f32.h.
#include <string.h>

#include "backend/cpu/attention_kernel.h"
#include "backend/cpu/gemm_f32.h"
#include "backend/cpu/row_source.h"
#include "backend/cpu/turn_block.h"

static bool packed_bytes(const ferry_attention *a, size_t depth, size_t columns, size_t *out)
{
    return ferry_gemm_f32_packed_floats(a->row, depth, columns, out) && ferry_mul_size(*out, sizeof(float), out);
}

// One panel of n columns, `width` wide: what to begin with, then a row for each step of depth.
static void pack_panel(size_t depth, size_t n, size_t width, const float *b, int64_t row, int64_t column, float rest,
                       float *to)
{
    for (size_t c = 0; c < width; c++) to[c] = c < n ? 0 : rest;
    to += width;
    for (size_t k = 0; n < width && k < depth; k++) memset(to + k * width + n, 0, (width - n) * sizeof *to);
    if (row == 1) {
        ferry_turn_block(sizeof *to, (int64_t)depth, (int64_t)n, to, (int64_t)width, b, column);
        return;
    }
    for (size_t k = 0; k < depth; k++, b += row, to += width) {
        if (column == 1)
            memcpy(to, b, n * sizeof *to);
        else
            for (size_t c = 0; c < n; c++) to[c] = b[(int64_t)c * column];
    }
}

static void pack(const ferry_attention *a, size_t depth, size_t columns, const void *b, int64_t row, int64_t column,
                 float rest, void *out)
{
    for (size_t c = 0; c < columns; c += a->nr) {
        const size_t n = columns - c < a->nr ? columns - c : a->nr;
        pack_panel(depth, n, ferry_align_size(n, a->vec), (const float *)b + (int64_t)c * column, row, column, rest,
                   (float *)out + ferry_gemm_f32_panel(depth, c));
    }
}

// A product of the block's rows, which x points at, with a packed matrix; all of a panel's columns up to `columns`.
static void multiply(const ferry_attention *a, const ferry_attention_block *block, const void *const *x, size_t depth,
                     size_t columns, const float *packed, float *y, int64_t y_stride)
{
    static const ferry_finish plain = {.low = -INFINITY, .high = INFINITY, .r_mult = 1};
    const ferry_gemm_f32_row *row = a->row;
    const size_t tiles = ferry_row_tiles(block->rows, row->mr);
    ferry_gemm_f32_tile tile = {.taps = 1, .kc = depth, .y_stride = (size_t)y_stride, .finish = &plain};
    for (size_t c = 0; c < columns; c += row->nr) {
        tile.cols = columns - c < row->nr ? columns - c : row->nr;
        tile.w = packed + ferry_gemm_f32_panel(depth, c);
        for (size_t i = 0; i < tiles; i++) {
            const ferry_row_tile cut = ferry_row_tile_at(block->rows, tiles, i);
            tile.rows = cut.rows;
            tile.x = x + cut.first;
            tile.y = y + (int64_t)cut.first * y_stride + c;
            row->run(&tile);
        }
    }
}

static void score(const ferry_attention *a, const ferry_attention_block *block)
{
    multiply(a, block, block->q, a->node.depth, a->width, block->keys, block->scores, (int64_t)a->width);
}

static void mix(const ferry_attention *a, const ferry_attention_block *block)
{
    const void *x[FERRY_ATTENTION_ROWS];
    const size_t columns = a->node.columns;
    for (size_t r = 0; r < block->rows; r++) x[r] = block->scores + r * a->width;
    multiply(a, block, x, a->node.keys, columns, block->values, a->quantise ? block->mixed : (float *)block->y,
             a->quantise ? (int64_t)columns : a->node.y.row);
}

static const ferry_attention_type type = {
    .elem_bytes = sizeof(float), .packed_bytes = packed_bytes, .pack = pack, .score = score, .mix = mix};

static bool pick(uint32_t isa, ferry_attention *a)
{
    const ferry_gemm_f32_row *row = ferry_gemm_f32_pick(isa);
    a->row = row;
    a->mr = row->mr;
    a->nr = row->nr;
    a->vec = row->vec;
    return true;
}

static const ferry_attention_tactic tactic = {
    .name = "attention_f32", .dtype = FERRY_F32, .quantises = true, .type = &type, .pick = pick};

static bool owns(const char *name)
{
    return strcmp(name, tactic.name) == 0;
}

static ferry_status prepare(ferry_cpu_device *device, const ferry_region *region, const char *name,
                            const ferry_tensor_desc *in, const ferry_tensor_desc *out, const void *packed,
                            size_t packed_bytes_given, ferry_kernel **out_kernel, ferry_error *err)
{
    (void)name;
    (void)packed;
    (void)packed_bytes_given;
    return ferry_attention_prepare(device, region, &tactic, in, out, out_kernel, err);
}

static ferry_status offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                          const ferry_offer_sink *sink, ferry_error *err)
{
    return ferry_attention_offer(device, view, root, &tactic, true, sink, err);
}

extern const ferry_cpu_family ferry_cpu_family_attention_f32;
const ferry_cpu_family ferry_cpu_family_attention_f32 = {
    .name = "attention_f32",
    .via_f32 = true,
    .offer = offer,
    .owns = owns,
    .prepare = prepare,
};
