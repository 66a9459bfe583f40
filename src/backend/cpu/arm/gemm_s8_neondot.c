// SPDX-License-Identifier: Apache-2.0
// Tiles of int8 matrix products for NEON's dot products: four products a lane and instruction. Sixteen elements of a
// row are loaded at a time, so that each instruction picks its four from a register.
#include "backend/cpu/arm/simd_neon.h"
#include "backend/cpu/gemm_s8.h"

#define MR 8
#define NV 2
#define KERNEL ferry_gemm_s8_8x8__neondot
#define WIDTH 4
#define KQ 4

#define UNROLL _Pragma("GCC unroll 16")

// The products of four elements of each row with every column; `lane` picks them from the row's sixteen.
#define ADD_QUADS(lane)                                                                                                \
    do {                                                                                                               \
        int8x16_t column[NV];                                                                                          \
        UNROLL                                                                                                         \
        for (size_t n = 0; n < nv; n++) column[n] = vld1q_s8(w + n * WIDTH * KQ);                                      \
        UNROLL                                                                                                         \
        for (size_t m = 0; m < mr; m++) {                                                                              \
            UNROLL                                                                                                     \
            for (size_t n = 0; n < nv; n++) acc[m][n] = vdotq_laneq_s32(acc[m][n], column[n], elements[m], lane);      \
        }                                                                                                              \
        w += nv * WIDTH * KQ;                                                                                          \
    } while (0)

static inline int8x16_t load_quad(const int8_t *p)
{
    int32_t four;
    memcpy(&four, p, sizeof four);
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
}

static inline __attribute__((always_inline)) void tile_sums(const ferry_gemm_s8_tile *t, const size_t mr,
                                                            const size_t nv, int32_t *totals)
{
    int32x4_t acc[MR][NV];
    const size_t width = nv * WIDTH;
    UNROLL
    for (size_t n = 0; n < nv; n++) {
        const int32x4_t start = vld1q_s32((const int32_t *)t->w + n * WIDTH);
        UNROLL
        for (size_t m = 0; m < mr; m++) acc[m][n] = start;
    }
    const int8_t *w = (const int8_t *)t->w + width * (sizeof(int32_t) + 2 * sizeof(float));
    const void *const *x = t->x;
    for (size_t taps = t->taps; taps > 0; taps--, x += MR) {
        const int8_t *rows[MR];
        int8x16_t elements[MR];
        UNROLL
        for (size_t m = 0; m < mr; m++) rows[m] = x[m];
        size_t k = 0;
        for (; k + 16 <= t->kc; k += 16) {
            UNROLL
            for (size_t m = 0; m < mr; m++) elements[m] = vld1q_s8(rows[m] + k);
            ADD_QUADS(0);
            ADD_QUADS(1);
            ADD_QUADS(2);
            ADD_QUADS(3);
        }
        for (; k < t->kc; k += KQ) {
            UNROLL
            for (size_t m = 0; m < mr; m++) elements[m] = load_quad(rows[m] + k);
            ADD_QUADS(0);
        }
    }
    UNROLL
    for (size_t m = 0; m < mr; m++) {
        UNROLL
        for (size_t n = 0; n < nv; n++) vst1q_s32(totals + m * width + n * WIDTH, acc[m][n]);
    }
}

#include "backend/cpu/gemm_s8_tile.h"
