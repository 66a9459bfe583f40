// SPDX-License-Identifier: Apache-2.0
// The sums of a tile of gemm_s8.h where a vector instruction multiplies elements of one row: most instruction sets. A
// file of kernels includes it before gemm_s8_tile.h, with MR, NV and WIDTH as there, and
//   KQ                                       elements of k multiplied at a time
//   x_element                                type of a row's elements
//   sums, sums_load, sums_store              WIDTH int32
//   weights, weights_load(const int8_t *)    WIDTH columns x KQ
//   quad, quad_load(const x_element *)       KQ elements of a row, for every column
//   multiply(sums, weights, quad)            sums + their products
#include "backend/cpu/gemm_s8.h"

#define UNROLL _Pragma("GCC unroll 16")

static inline __attribute__((always_inline)) void tile_sums(const ferry_gemm_s8_tile *t, const size_t mr,
                                                            const size_t nv, int32_t *totals)
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
    UNROLL
    for (size_t m = 0; m < mr; m++) {
        UNROLL
        for (size_t n = 0; n < nv; n++) sums_store(totals + m * width + n * WIDTH, acc[m][n]);
    }
}
