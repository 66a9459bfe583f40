// SPDX-License-Identifier: Apache-2.0
// Strips of int8 depthwise convolutions in plain C.
#define FERRY_FUSED_C // docs/INT8.md rounds multiply-adds once, at any price
#include "backend/cpu/simd_c.h"

#include "backend/cpu/depthwise_s8.h"

#define KERNEL ferry_depthwise_s8__c
#define BLOCK 8
#define TQ 1
#define SLOT(channel) (channel)

static void sum_taps(const ferry_depthwise_s8_strip *s, const char *block, size_t offset, size_t n, int32_t *out)
{
    const int8_t *w = (const int8_t *)(block + BLOCK * (sizeof(int32_t) + 2 * sizeof(float)));
    for (size_t c = 0; c < BLOCK; c++) out[c] = 0;
    for (size_t t = 0; t < s->taps; t++, w += BLOCK) {
        const int8_t *x = s->x[t] + offset;
        for (size_t c = 0; c < n; c++) out[c] += x[c] * w[c];
    }
}

#include "backend/cpu/depthwise_s8_strip.h"
