// SPDX-License-Identifier: Apache-2.0
// Tiles of int8 matrix products for NEON without dot products: eight columns times one element of k.
#include "backend/cpu/arm/simd_neon.h"

#define MR 6
#define NV 2
#define KERNEL ferry_gemm_s8_6x16__neon
#define WIDTH 8
#define KQ 1

typedef int16_t x_element;
typedef struct sums {
    int32x4_t low, high;
} sums;
typedef int16x8_t weights;
typedef int16x8_t quad;

static inline sums sums_load(const int32_t *p)
{
    return (sums){vld1q_s32(p), vld1q_s32(p + 4)};
}
static inline void sums_store(int32_t *p, sums v)
{
    vst1q_s32(p, v.low);
    vst1q_s32(p + 4, v.high);
}
static inline weights weights_load(const int8_t *p)
{
    return vmovl_s8(vld1_s8(p));
}
static inline quad quad_load(const int16_t *p)
{
    return vld1q_dup_s16(p);
}
static inline sums multiply(sums total, weights w, quad x)
{
    return (sums){vmlal_s16(total.low, vget_low_s16(w), vget_low_s16(x)), vmlal_high_s16(total.high, w, x)};
}

#include "backend/cpu/gemm_s8_tile.h"
