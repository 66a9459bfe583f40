// SPDX-License-Identifier: Apache-2.0
// Loops over INT8 elements for NEON. A table of 256 is four look-ups of 64 entries each.
#include "backend/cpu/arm/simd_neon.h"

static void look_up(const int8_t *x, const int8_t *table, int8_t *y, size_t n)
{
    size_t i = 0;
    int8x16x4_t part[4];
    for (int k = 0; k < 4; k++)
        part[k] = (int8x16x4_t){{vld1q_s8(table + 64 * k), vld1q_s8(table + 64 * k + 16), vld1q_s8(table + 64 * k + 32),
                                 vld1q_s8(table + 64 * k + 48)}};
    for (; i + 16 <= n; i += 16) {
        // An index of 64 or more finds 0 in tbl and keeps what is there in tbx.
        const uint8x16_t index = veorq_u8(vreinterpretq_u8_s8(vld1q_s8(x + i)), vdupq_n_u8(0x80));
        int8x16_t found = vqtbl4q_s8(part[0], index);
        found = vqtbx4q_s8(found, part[1], vsubq_u8(index, vdupq_n_u8(64)));
        found = vqtbx4q_s8(found, part[2], vsubq_u8(index, vdupq_n_u8(128)));
        found = vqtbx4q_s8(found, part[3], vsubq_u8(index, vdupq_n_u8(192)));
        vst1q_s8(y + i, found);
    }
    for (; i < n; i++) y[i] = table[x[i] + 128];
}

#define LOOK_UP look_up
#define ROW ferry_elementwise_s8__neon
#define ISA "neon", FERRY_ISA_NEON
#include "backend/cpu/elementwise_s8_loops.h"
