// SPDX-License-Identifier: Apache-2.0
// Tiles of int8 matrix products for NEON's matrix multiplication: an instruction adds the products of eight elements of
// k of two rows with those of two columns to four sums. The columns of a panel lie as it wants them; rows are paired in
// registers.
#include "backend/cpu/arm/simd_neon.h"
#include "backend/cpu/gemm_s8.h"

#define MR 8
#define NV 2
#define KERNEL ferry_gemm_s8_8x8__neoni8mm
#define WIDTH 4
#define KQ 8

#define UNROLL _Pragma("GCC unroll 16")
#define PAIRS (WIDTH / 2) // of columns in a vector

static inline int32x4_t twice(const int32_t *p)
{
    const int32x2_t two = vld1_s32(p);
    return vcombine_s32(two, two);
}

// acc: of a pair of rows with the first and the second two of four columns.
static inline void store_rows(int32_t *upper, int32_t *lower, const int32x4_t *acc)
{
    const int64x2_t first = vreinterpretq_s64_s32(acc[0]), second = vreinterpretq_s64_s32(acc[1]);
    vst1q_s32(upper, vreinterpretq_s32_s64(vzip1q_s64(first, second)));
    vst1q_s32(lower, vreinterpretq_s32_s64(vzip2q_s64(first, second)));
}

// An odd number of rows reads the last one twice, and writes the second result where nobody looks.
static inline __attribute__((always_inline)) void tile_sums(const ferry_gemm_s8_tile *t, const size_t mr,
                                                            const size_t nv, int32_t *totals)
{
    int32x4_t acc[MR / 2][NV * PAIRS];
    const size_t width = nv * WIDTH, pairs = (mr + 1) / 2;
    UNROLL
    for (size_t n = 0; n < nv * PAIRS; n++) {
        const int32x4_t start = twice((const int32_t *)t->w + 2 * n);
        UNROLL
        for (size_t p = 0; p < pairs; p++) acc[p][n] = start;
    }
    const int8_t *w = (const int8_t *)t->w + width * (sizeof(int32_t) + 2 * sizeof(float));
    const void *const *x = t->x;
    const size_t kc = t->kc;
    for (size_t taps = t->taps; taps > 0; taps--, x += MR) {
        const int8_t *rows[MR];
        UNROLL
        for (size_t m = 0; m < 2 * pairs; m++) rows[m] = x[m < mr ? m : mr - 1];
        for (size_t k = 0; k < kc; k += KQ, w += width * KQ) {
            int8x16_t columns[NV * PAIRS];
            UNROLL
            for (size_t n = 0; n < nv * PAIRS; n++) columns[n] = vld1q_s8(w + n * 2 * KQ);
            UNROLL
            for (size_t p = 0; p < pairs; p++) {
                const int8x16_t both = vcombine_s8(vld1_s8(rows[2 * p] + k), vld1_s8(rows[2 * p + 1] + k));
                UNROLL
                for (size_t n = 0; n < nv * PAIRS; n++) acc[p][n] = vmmlaq_s32(acc[p][n], both, columns[n]);
            }
        }
    }
    UNROLL
    for (size_t p = 0; p < pairs; p++) {
        UNROLL
        for (size_t n = 0; n < nv; n++) {
            int32_t *upper = totals + 2 * p * width + n * WIDTH;
            store_rows(upper, upper + width, &acc[p][n * PAIRS]);
        }
    }
}

#include "backend/cpu/gemm_s8_tile.h"
