// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/transpose_product.h"

#include "backend/cpu/gemm_half.h"
#include "backend/cpu/gemm_f32.h"

// --- f32 -------------------------------------------------------------------------------------------------------------

static bool packed_bytes_f32(uint32_t isa, const ferry_transpose_weights *w, size_t *out)
{
    size_t depth = 0;
    return ferry_mul_size(w->taps, w->kc, &depth) &&
           ferry_gemm_f32_packed_floats(ferry_gemm_f32_pick(isa), depth, w->columns, out) &&
           ferry_mul_size(*out, sizeof(float), out);
}

static void pack_f32(uint32_t isa, const ferry_transpose_weights *weights, const float *w, const float *bias, char *out)
{
    const size_t depth = weights->taps * weights->kc;
    ferry_gemm_f32_pack(ferry_gemm_f32_pick(isa), depth, weights->columns, w, 1, depth, bias, (float *)out);
}

static void run_f32(uint32_t isa, const ferry_transpose_rows *r)
{
    const ferry_gemm_f32_row *row = ferry_gemm_f32_pick(isa);
    const ferry_transpose_weights *w = r->weights;
    const size_t tiles = ferry_row_tiles(r->rows, row->mr);
    ferry_gemm_f32_tile tile = {.taps = w->taps, .kc = w->kc, .y_stride = r->y_stride, .finish = r->finish};
    for (size_t c = 0; c < w->columns; c += row->nr) {
        tile.w = (const float *)r->packed + ferry_gemm_f32_panel(w->taps * w->kc, c);
        tile.cols = w->columns - c < row->nr ? w->columns - c : row->nr;
        for (size_t i = 0; i < tiles; i++) {
            const ferry_row_tile cut = ferry_row_tile_at(r->rows, tiles, i);
            tile.rows = cut.rows;
            tile.x = r->x->pointers + i * w->taps * row->mr;
            tile.y = (float *)r->y + cut.first * r->y_stride + c;
            row->run(&tile);
        }
    }
}

// --- bf16 ------------------------------------------------------------------------------------------------------------

static ferry_gemm_half_shape shape_of(const ferry_transpose_weights *w)
{
    return (ferry_gemm_half_shape){.taps = w->taps, .kc = w->kc, .columns = w->columns};
}

static bool packed_bytes_bf16(uint32_t isa, const ferry_transpose_weights *w, size_t *out)
{
    const ferry_gemm_half_shape shape = shape_of(w);
    return ferry_gemm_half_packed_bytes(ferry_gemm_half_pick(isa, FERRY_BF16), &shape, out);
}

static void pack_bf16(uint32_t isa, const ferry_transpose_weights *weights, const float *w, const float *bias,
                      char *out)
{
    const ferry_gemm_half_shape shape = shape_of(weights);
    const ferry_gemm_half_weights from = {
        .w = w, .column_stride = weights->taps * weights->kc, .tap_stride = weights->kc, .k_stride = 1, .bias = bias};
    ferry_gemm_half_pack(ferry_gemm_half_pick(isa, FERRY_BF16), &shape, &from, out);
}

static void run_bf16(uint32_t isa, const ferry_transpose_rows *r)
{
    const ferry_gemm_half_row *row = ferry_gemm_half_pick(isa, FERRY_BF16);
    const ferry_gemm_half_shape w = shape_of(r->weights);
    const size_t tiles = ferry_row_tiles(r->rows, row->mr);
    ferry_gemm_half_tile tile = {.taps = w.taps, .kc = w.kc, .y_stride = r->y_stride, .finish = r->finish};
    for (size_t c = 0; c < w.columns; c += row->nr) {
        tile.w = r->packed + ferry_gemm_half_panel(row, &w, c);
        tile.cols = w.columns - c < row->nr ? w.columns - c : row->nr;
        for (size_t i = 0; i < tiles; i++) {
            const ferry_row_tile cut = ferry_row_tile_at(r->rows, tiles, i);
            tile.rows = cut.rows;
            tile.x = r->x->pointers + i * w.taps * row->mr;
            tile.y = (uint16_t *)r->y + cut.first * r->y_stride + c;
            row->run(&tile);
        }
    }
}

bool ferry_transpose_product_pick(uint32_t isa, ferry_dtype dtype, ferry_transpose_product *out)
{
    const ferry_gemm_f32_row *f32 = ferry_gemm_f32_pick(isa);
    const ferry_gemm_half_row *bf16 = ferry_gemm_half_pick(isa, FERRY_BF16);
    if (dtype == FERRY_BF16 && bf16) {
        *out = (ferry_transpose_product){FERRY_BF16, bf16->mr, bf16->vec, packed_bytes_bf16, pack_bf16, run_bf16};
        return true;
    }
    *out = (ferry_transpose_product){FERRY_F32, f32->mr, f32->vec, packed_bytes_f32, pack_f32, run_f32};
    return dtype == FERRY_F32;
}
