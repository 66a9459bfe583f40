// SPDX-License-Identifier: Apache-2.0
// Attention in bf16: both products by the tiles of gemm_half.h. Scores and the softmax's sums stay f32; the weights of
// the mix are rounded to bf16.
#include <string.h>

#include "backend/cpu/attention_kernel.h"
#include "backend/cpu/gemm_half.h"
#include "backend/cpu/row_source.h"
#include "backend/cpu/shuffle.h"
#include "backend/cpu/turn_block.h"

static bool packed_bytes(const ferry_attention *a, size_t depth, size_t columns, size_t *out)
{
    return ferry_gemm_half_packed_bytes(a->row, &(ferry_gemm_half_shape){1, depth, columns}, out);
}

// Rows of b side by side in pairs.
static void pack_row_pairs(const ferry_attention *a, size_t pairs, size_t n, size_t width, const uint16_t *b,
                           int64_t row, uint16_t *to)
{
    const ferry_shuffle_rows rows = {.x = {b, b + row},
                                     .y = to,
                                     .parts = 2,
                                     .rows = pairs,
                                     .count = n,
                                     .x_stride = (size_t)(2 * row),
                                     .y_stride = 2 * width};
    a->interleave(&rows);
}

// Whether pairs of a column's elements can be moved as wholes.
static bool has_whole_pairs(const uint16_t *b, int64_t row, int64_t column)
{
    return row == 1 && column % 2 == 0 && (uintptr_t)b % sizeof(uint32_t) == 0;
}

static void pack_panel(const ferry_attention *a, size_t depth, size_t n, size_t width, const uint16_t *b, int64_t row,
                       int64_t column, float rest, char *panel)
{
    float *begin = (float *)(void *)panel;
    uint16_t *to = (uint16_t *)(void *)(begin + width);
    const size_t steps = (depth + 1) / 2;
    size_t done = 0;
    for (size_t c = 0; c < width; c++) begin[c] = c < n ? 0 : rest;
    for (size_t i = 0; n < width && i < steps; i++) memset(to + 2 * (i * width + n), 0, 2 * (width - n) * sizeof *to);
    if (column == 1 && row > 0) {
        done = depth / 2;
        pack_row_pairs(a, done, n, width, b, row, to);
    } else if (has_whole_pairs(b, row, column)) {
        done = depth / 2;
        ferry_turn_block(sizeof(uint32_t), (int64_t)done, (int64_t)n, to, (int64_t)width, b, column / 2);
    }
    for (size_t i = done; i < steps; i++)
        for (size_t c = 0; c < n; c++)
            for (size_t h = 0; h < 2; h++) {
                const size_t k = 2 * i + h;
                to[2 * (i * width + c) + h] = k < depth ? b[(int64_t)k * row + (int64_t)c * column] : 0;
            }
}

static void pack(const ferry_attention *a, size_t depth, size_t columns, const void *b, int64_t row, int64_t column,
                 float rest, void *out)
{
    const ferry_gemm_half_shape shape = {1, depth, columns};
    for (size_t c = 0; c < columns; c += a->nr) {
        const size_t n = columns - c < a->nr ? columns - c : a->nr;
        pack_panel(a, depth, n, ferry_align_size(n, a->vec), (const uint16_t *)b + (int64_t)c * column, row, column,
                   rest, (char *)out + ferry_gemm_half_panel(a->row, &shape, c));
    }
}

// A product of the block's rows, which x points at, with a packed matrix. y: tile rows and columns are added to what is
// there.
static void multiply(const ferry_attention *a, const ferry_attention_block *block, const void *const *x, size_t depth,
                     size_t columns, const char *packed, float *sums, uint16_t *y, int64_t stride)
{
    static const ferry_finish plain = {.low = -INFINITY, .high = INFINITY, .r_mult = 1};
    const ferry_gemm_half_row *row = a->row;
    const ferry_gemm_half_shape shape = {1, depth, columns};
    const size_t tiles = ferry_row_tiles(block->rows, row->mr);
    ferry_gemm_half_tile tile = {.taps = 1, .kc = depth, .y_stride = (size_t)stride, .finish = &plain};
    for (size_t c = 0; c < columns; c += row->nr) {
        tile.cols = columns - c < row->nr ? columns - c : row->nr;
        tile.w = packed + ferry_gemm_half_panel(a->row, &shape, c);
        for (size_t i = 0; i < tiles; i++) {
            const ferry_row_tile cut = ferry_row_tile_at(block->rows, tiles, i);
            const int64_t at = (int64_t)cut.first * stride + (int64_t)c;
            tile.rows = cut.rows;
            tile.x = x + cut.first;
            tile.sums = sums ? sums + at : NULL;
            tile.y = y ? y + at : NULL;
            row->run(&tile);
        }
    }
}

static void score(const ferry_attention *a, const ferry_attention_block *block)
{
    multiply(a, block, block->q, a->node.depth, a->width, block->keys, block->scores, NULL, (int64_t)a->width);
}

static void mix(const ferry_attention *a, const ferry_attention_block *block)
{
    const void *x[FERRY_ATTENTION_ROWS];
    for (size_t r = 0; r < block->rows; r++) x[r] = (const uint16_t *)block->weights + r * a->width;
    multiply(a, block, x, a->node.keys, a->node.columns, block->values, NULL, (uint16_t *)(void *)block->y,
             a->node.y.row);
}

static const ferry_attention_type type = {.elem_bytes = sizeof(uint16_t),
                                          .own_weights = true,
                                          .packed_bytes = packed_bytes,
                                          .pack = pack,
                                          .score = score,
                                          .mix = mix};

static bool pick(uint32_t isa, ferry_attention *a)
{
    const ferry_gemm_half_row *row = ferry_gemm_half_pick(isa, FERRY_BF16);
    if (!row || !ferry_softmax_pick(isa)->narrow) return false;
    a->row = row;
    a->mr = row->mr;
    a->nr = row->nr;
    a->vec = row->vec;
    a->interleave = ferry_shuffle_pick(isa)->pairs[1];
    return true;
}

static const ferry_attention_tactic tactic = {
    .name = "attention_bf16", .dtype = FERRY_BF16, .type = &type, .pick = pick};

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
    return ferry_attention_offer(device, view, root, &tactic, false, sink, err);
}

extern const ferry_cpu_family ferry_cpu_family_attention_bf16;
const ferry_cpu_family ferry_cpu_family_attention_bf16 = {
    .name = "attention_bf16",
    .offer = offer,
    .owns = owns,
    .prepare = prepare,
};
