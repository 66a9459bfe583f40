// SPDX-License-Identifier: Apache-2.0
// Loops over INT8 elements for AVX2 and FMA. A table of 256 is 16 shuffles of 16 entries each.
#include "backend/cpu/x86/simd_avx2.h"

static void look_up(const int8_t *x, const int8_t *table, int8_t *y, size_t n)
{
    size_t i = 0;
    __m256i part[16];
    for (int k = 0; k < 16; k++)
        part[k] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)(table + 16 * k)));
    for (; i + 32 <= n; i += 32) {
        // As an index from 0 on. A shuffle gives 0 where the index's highest bit is set: that bit is set for all
        // indices outside of a part by saturating addition of 112 to the distance from the part.
        __m256i index =
            _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(const void *)(x + i)), _mm256_set1_epi8((char)0x80));
        __m256i found = _mm256_setzero_si256();
        for (int k = 0; k < 16; k++) {
            const __m256i within = _mm256_adds_epu8(index, _mm256_set1_epi8(0x70));
            found = _mm256_or_si256(found, _mm256_shuffle_epi8(part[k], within));
            index = _mm256_sub_epi8(index, _mm256_set1_epi8(16));
        }
        _mm256_storeu_si256((__m256i *)(void *)(y + i), found);
    }
    for (; i < n; i++) y[i] = table[x[i] + 128];
}

#define LOOK_UP look_up
#define ROW ferry_elementwise_s8__avx2
#define ISA "avx2", FERRY_ISA_AVX2
#include "backend/cpu/elementwise_s8_loops.h"
