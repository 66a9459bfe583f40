// SPDX-License-Identifier: Apache-2.0
// Strips of int8 depthwise convolutions for NEON: products of eight channels as int16, which hold them exactly.
#include "backend/cpu/arm/simd_neon.h"

#include "backend/cpu/depthwise_s8.h"

#define KERNEL ferry_depthwise_s8__neon
#define BLOCK 8
#define TQ 1
#define SLOT(channel) (channel)

static inline int8x8_t load_channels(const int8_t *x, size_t n)
{
    if (n == BLOCK) return vld1_s8(x);
    int8_t all[BLOCK] = {0};
    for (size_t i = 0; i < n; i++) all[i] = x[i];
    return vld1_s8(all);
}

static void sum_taps(const ferry_depthwise_s8_strip *s, const char *block, size_t offset, size_t n, int32_t *out)
{
    const int8_t *w = (const int8_t *)(block + BLOCK * (sizeof(int32_t) + 2 * sizeof(float)));
    int32x4_t low = vdupq_n_s32(0), high = vdupq_n_s32(0);
    for (size_t t = 0; t < s->taps; t++, w += BLOCK) {
        const int16x8_t products = vmull_s8(load_channels(s->x[t] + offset, n), vld1_s8(w));
        low = vaddw_s16(low, vget_low_s16(products));
        high = vaddw_high_s16(high, products);
    }
    vst1q_s32(out, low);
    vst1q_s32(out + 4, high);
}

#include "backend/cpu/depthwise_s8_strip.h"
