// SPDX-License-Identifier: Apache-2.0
// The tile of gemm_s8.h, written once. A file per instruction set includes it after its simd header, with
//   MR, NV, KERNEL   rows, vectors of a panel, the function's name
//   WIDTH, KQ        columns of a vector, elements of k multiplied at a time
//   x_element        type of a row's elements
//   sums, sums_load, sums_store              WIDTH int32
//   weights, weights_load(const int8_t *)    WIDTH columns x KQ
//   quad, quad_load(const x_element *)       KQ elements of a row, for every column
//   multiply(sums, weights, quad)            sums + their products
#include "backend/cpu/finish_vf.h"
#include "backend/cpu/gemm_s8.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

static ALWAYS_INLINE vf load_residual(const ferry_gemm_s8_tile *t, size_t at, size_t n)
{
    if (t->r_float) return n < VEC ? vf_load_part((const float *)t->r + at, n) : vf_load((const float *)t->r + at);
    return vf_load_s8((const int8_t *)t->r + at, n);
}

// From sums to outputs, as docs/INT8.md has it.
static __attribute__((noinline)) void finish_tile(const ferry_gemm_s8_tile *t, const int32_t *totals, size_t width)
{
    const ferry_finish f = *t->finish;
    const float *mult = (const float *)(t->w + width * sizeof(int32_t)), *bias = mult + width;
    for (size_t m = 0; m < t->rows; m++) {
        for (size_t n = 0; n < t->cols; n += VEC) {
            const size_t left = t->cols - n < VEC ? t->cols - n : VEC, at = m * t->y_stride + n;
            vf v = vf_fma(vf_load_s32(totals + m * width + n), vf_load(mult + n), vf_load(bias + n));
            v = t->r ? vf_act_residual(&f, v, load_residual(t, m * t->r_stride + n, left)) : vf_act(&f, v);
            if (!t->y_float)
                vf_store_sat8((int8_t *)t->y + at, v, left);
            else if (left < VEC)
                vf_store_part((float *)t->y + at, v, left);
            else
                vf_store((float *)t->y + at, v);
        }
    }
}

static ALWAYS_INLINE void tile_of(const ferry_gemm_s8_tile *t, const size_t mr, const size_t nv)
{
    sums acc[MR][NV];
    const size_t width = nv * WIDTH;
    UNROLL
    for (size_t n = 0; n < nv; n++) {
        const sums start = sums_load((const int32_t *)t->w + n * WIDTH);
        UNROLL
        for (size_t m = 0; m < mr; m++) acc[m][n] = start;
    }
    const int8_t *w = (const int8_t *)t->w + width * (sizeof(int32_t) + 2 * sizeof(float));
    const void *const *x = t->x;
    const size_t kc = t->kc;
    for (size_t taps = t->taps; taps > 0; taps--, x += MR) {
        const x_element *rows[MR];
        UNROLL
        for (size_t m = 0; m < mr; m++) rows[m] = x[m];
        for (size_t k = 0; k < kc; k += KQ, w += width * KQ) {
            weights column[NV];
            UNROLL
            for (size_t n = 0; n < nv; n++) column[n] = weights_load(w + n * WIDTH * KQ);
            UNROLL
            for (size_t m = 0; m < mr; m++) {
                const quad elements = quad_load(rows[m] + k);
                UNROLL
                for (size_t n = 0; n < nv; n++) acc[m][n] = multiply(acc[m][n], column[n], elements);
            }
        }
    }
    int32_t totals[MR * NV * WIDTH];
    UNROLL
    for (size_t m = 0; m < mr; m++) {
        UNROLL
        for (size_t n = 0; n < nv; n++) sums_store(totals + m * width + n * WIDTH, acc[m][n]);
    }
    finish_tile(t, totals, width);
}

static __attribute__((noinline)) void tile_rows_1(const ferry_gemm_s8_tile *t)
{
    switch (t->rows) {
#define ROWS(mr)                                                                                                       \
    case mr:                                                                                                           \
        tile_of(t, mr, 1);                                                                                             \
        return;
#include "backend/cpu/tile_rows.inc"
    }
}

static __attribute__((noinline)) void tile_rows_2(const ferry_gemm_s8_tile *t)
{
    switch (t->rows) {
#define ROWS(mr)                                                                                                       \
    case mr:                                                                                                           \
        tile_of(t, mr, 2);                                                                                             \
        return;
#include "backend/cpu/tile_rows.inc"
    }
}

void KERNEL(const ferry_gemm_s8_tile *tile);
void KERNEL(const ferry_gemm_s8_tile *tile)
{
    if (tile->cols <= WIDTH)
        tile_rows_1(tile);
    else
        tile_rows_2(tile);
}
