// SPDX-License-Identifier: Apache-2.0
// Strips of int8 depthwise convolutions for AVX2: two taps at a time, interleaved as int16 for vpmaddwd.
#include "backend/cpu/x86/simd_avx2.h"

#include "backend/cpu/depthwise_s8.h"

#define KERNEL ferry_depthwise_s8__avx2
#define BLOCK 16
#define TQ 2
#define SLOT(channel) ((channel) % 8 / 4 * 8 + (channel) / 8 * 4 + (channel) % 4)

static inline __m256i load_channels(const int8_t *x, size_t n)
{
    if (n == BLOCK) return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)x));
    int8_t all[BLOCK] = {0};
    memcpy(all, x, n);
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)all));
}

static inline __m256i load_weights(const int8_t *w)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)w));
}

static void sum_taps(const ferry_depthwise_s8_strip *s, const char *block, size_t offset, size_t n, int32_t *out)
{
    const int8_t *w = (const int8_t *)(block + BLOCK * (sizeof(int32_t) + 2 * sizeof(float)));
    __m256i low = _mm256_setzero_si256(), high = _mm256_setzero_si256();
    for (size_t t = 0; t < s->taps; t += TQ, w += BLOCK * TQ) {
        const __m256i a = load_channels(s->x[t] + offset, n), b = load_channels(s->x[t + 1] + offset, n);
        low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), load_weights(w)));
        high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), load_weights(w + BLOCK)));
    }
    _mm256_storeu_si256((__m256i *)out, low);
    _mm256_storeu_si256((__m256i *)(out + 8), high);
}

#include "backend/cpu/depthwise_s8_strip.h"
