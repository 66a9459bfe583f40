// SPDX-License-Identifier: Apache-2.0
// Tiles of int8 matrix products for NEON's dot products: four products a lane and instruction.
#include "backend/cpu/arm/simd_neon.h"

#define MR 8
#define NV 2
#define KERNEL ferry_gemm_s8_8x8__neondot
#define WIDTH 4
#define KQ 4

typedef int8_t x_element;
typedef int32x4_t sums;
typedef int8x16_t weights, quad;

static inline sums sums_load(const int32_t *p)
{
    return vld1q_s32(p);
}
static inline void sums_store(int32_t *p, sums v)
{
    vst1q_s32(p, v);
}
static inline weights weights_load(const int8_t *p)
{
    return vld1q_s8(p);
}
static inline quad quad_load(const int8_t *p)
{
    int32_t four;
    memcpy(&four, p, sizeof four);
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
}
static inline sums multiply(sums total, weights w, quad x)
{
    return vdotq_s32(total, w, x);
}

#include "backend/cpu/gemm_s8_tile.h"
