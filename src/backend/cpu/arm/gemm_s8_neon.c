// SPDX-License-Identifier: Apache-2.0
// Tiles of int8 matrix products for NEON without dot products: eight elements of k of one row and one column make eight
// 16-bit products (smull), whose neighbours are added into four 32-bit sums (sadalp). On a Cortex-A57 these go to its
// two vector pipelines, one each: 8 multiply-adds a cycle, where a multiply-add of 16 bits into 32 does 4. Two products
// are never added in 16 bits: -128 * -128 twice would not fit.
#include "backend/cpu/arm/simd_neon.h"
#include "backend/cpu/gemm_s8.h"

#define MR 4
#define NV 1
#define KERNEL ferry_gemm_s8_4x4__neon
#define WIDTH 4
#define KQ 8

#define UNROLL _Pragma("GCC unroll 16")

// The four columns' totals, each spread over the lanes of one vector.
static inline int32x4_t add_across(const int32x4_t *column)
{
    return vpaddq_s32(vpaddq_s32(column[0], column[1]), vpaddq_s32(column[2], column[3]));
}

static inline __attribute__((always_inline)) void tile_sums(const ferry_gemm_s8_tile *t, const size_t mr,
                                                            const size_t nv, int32_t *totals)
{
    (void)nv;
    int32x4_t acc[MR][WIDTH];
    UNROLL
    for (size_t m = 0; m < mr; m++) {
        UNROLL
        for (size_t n = 0; n < WIDTH; n++) acc[m][n] = vdupq_n_s32(0);
    }
    const int8_t *w = (const int8_t *)t->w + WIDTH * (sizeof(int32_t) + 2 * sizeof(float));
    const void *const *x = t->x;
    const size_t kc = t->kc;
    for (size_t taps = t->taps; taps > 0; taps--, x += MR) {
        const int8_t *rows[MR];
        UNROLL
        for (size_t m = 0; m < mr; m++) rows[m] = x[m];
        for (size_t k = 0; k < kc; k += KQ, w += WIDTH * KQ) {
            int8x8_t column[WIDTH];
            UNROLL
            for (size_t n = 0; n < WIDTH; n++) column[n] = vld1_s8(w + n * KQ);
            UNROLL
            for (size_t m = 0; m < mr; m++) {
                const int8x8_t elements = vld1_s8(rows[m] + k);
                UNROLL
                for (size_t n = 0; n < WIDTH; n++) acc[m][n] = vpadalq_s16(acc[m][n], vmull_s8(elements, column[n]));
            }
        }
    }
    const int32x4_t start = vld1q_s32((const int32_t *)t->w);
    UNROLL
    for (size_t m = 0; m < mr; m++) vst1q_s32(totals + m * WIDTH, vaddq_s32(start, add_across(acc[m])));
}

#include "backend/cpu/gemm_s8_tile.h"
