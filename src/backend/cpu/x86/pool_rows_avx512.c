// SPDX-License-Identifier: Apache-2.0
// Pooling loops for AVX-512. Those over bytes and bf16 use masks, so that odd numbers of channels cost no loop of
// single elements.
#include <immintrin.h>

#include "backend/cpu/pool_loops.h"

static inline ptrdiff_t element_at(const ferry_pool_window *w, size_t i)
{
    return w->taps ? w->taps[i].x : (ptrdiff_t)i * w->step;
}

static inline const int8_t *element_s8(const ferry_pool_window *w, const int8_t *x, size_t i)
{
    return x + element_at(w, i);
}

// 64 channels at a time.
static void max_s8(const ferry_pool_window *w, const int8_t *x, int8_t *y)
{
    for (size_t c = 0; c < w->channels; c += 64) {
        const __mmask64 here = w->channels - c < 64 ? ((__mmask64)1 << (w->channels - c)) - 1 : ~(__mmask64)0;
        __m512i most = _mm512_set1_epi8(INT8_MIN);
        for (size_t i = 0; i < w->n; i++)
            most = _mm512_max_epi8(most, _mm512_maskz_loadu_epi8(here, element_s8(w, x, i) + c));
        _mm512_mask_storeu_epi8(y + c, here, most);
    }
}

// bf16 as integers of the same order, and back.
static inline __m512i order_of_bf16(__m512i x)
{
    return _mm512_xor_si512(x, _mm512_and_si512(_mm512_srai_epi16(x, 15), _mm512_set1_epi16(0x7fff)));
}

// 32 channels at a time.
static void max_bf16(const ferry_pool_window *w, const uint16_t *x, uint16_t *y)
{
    const __m512i magnitude = _mm512_set1_epi16(0x7fff), infinite = _mm512_set1_epi16(0x7f80);
    for (size_t c = 0; c < w->channels; c += 32) {
        const __mmask32 here = w->channels - c < 32 ? ((__mmask32)1 << (w->channels - c)) - 1 : ~(__mmask32)0;
        __m512i most = order_of_bf16(_mm512_set1_epi16((int16_t)0xff80));
        __mmask32 nan = 0;
        for (size_t i = 0; i < w->n; i++) {
            const __m512i each = _mm512_maskz_loadu_epi16(here, x + element_at(w, i) + c);
            nan |= _mm512_cmpgt_epi16_mask(_mm512_and_si512(each, magnitude), infinite);
            most = _mm512_max_epi16(most, order_of_bf16(each));
        }
        _mm512_mask_storeu_epi16(y + c, here, _mm512_mask_mov_epi16(order_of_bf16(most), nan, magnitude));
    }
}

#define SUM_CHANNELS 32
#define SUM_WORDS 256 // bytes that fit a sum of 16 bits

// Exact sums of n <= SUM_CHANNELS channels.
static inline void sum_channels_s8(const ferry_pool_window *w, const int8_t *x, size_t n, int32_t *out)
{
    const __mmask32 here = n < 32 ? ((__mmask32)1 << n) - 1 : ~(__mmask32)0;
    __m512i low = _mm512_setzero_si512(), high = low;
    for (size_t first = 0; first < w->n; first += SUM_WORDS) {
        const size_t end = w->n - first < SUM_WORDS ? w->n : first + SUM_WORDS;
        __m512i words = _mm512_setzero_si512();
        for (size_t i = first; i < end; i++)
            words = _mm512_add_epi16(words, _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8(here, element_s8(w, x, i))));
        low = _mm512_add_epi32(low, _mm512_cvtepi16_epi32(_mm512_castsi512_si256(words)));
        high = _mm512_add_epi32(high, _mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64(words, 1)));
    }
    _mm512_storeu_si512(out, low);
    _mm512_storeu_si512(out + 16, high);
}

#define OWN_S8
#define OWN_MAX_BF16
#define ROW avx512
#include "backend/cpu/pool_rows.h"
