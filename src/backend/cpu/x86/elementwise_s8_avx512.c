// SPDX-License-Identifier: Apache-2.0
// Loops over INT8 elements for AVX-512. A table of 256 is 16 shuffles of 16 entries each.
#include "backend/cpu/x86/simd_avx512.h"

static void look_up(const int8_t *x, const int8_t *table, int8_t *y, size_t n)
{
    size_t i = 0;
    __m512i part[16];
    for (int k = 0; k < 16; k++)
        part[k] = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)(table + 16 * k)));
    for (; i + 64 <= n; i += 64) {
        // As for AVX2: outside of a part, the saturated index has its highest bit set, and the shuffle gives 0.
        __m512i index = _mm512_xor_si512(_mm512_loadu_si512(x + i), _mm512_set1_epi8((char)0x80));
        __m512i found = _mm512_setzero_si512();
        for (int k = 0; k < 16; k++) {
            const __m512i within = _mm512_adds_epu8(index, _mm512_set1_epi8(0x70));
            found = _mm512_or_si512(found, _mm512_shuffle_epi8(part[k], within));
            index = _mm512_sub_epi8(index, _mm512_set1_epi8(16));
        }
        _mm512_storeu_si512(y + i, found);
    }
    for (; i < n; i++) y[i] = table[x[i] + 128];
}

#define LOOK_UP look_up
#define ROW ferry_elementwise_s8__avx512
#define ISA "avx512", FERRY_ISA_AVX512
#include "backend/cpu/elementwise_s8_loops.h"
