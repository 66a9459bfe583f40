// SPDX-License-Identifier: Apache-2.0
// Depthwise convolutions over copied lines for AVX2: two taps of 16 channels, interleaved as int16 for vpmaddwd.
// Interleaving leaves the channels of a 128-bit lane spread over two vectors; packing brings them back in order.
#include "backend/cpu/x86/simd_avx2.h"

#include "backend/cpu/finish.h"

#define SUFFIX avx2
#define BLOCK 16
#define TQ 2
#define N_SUMS 2

typedef int16_t element;
typedef __m256i sums, mixed;

static inline __m256i load(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}
static inline sums sums_load(const char *p)
{
    return load(p);
}
static inline void mix(const void *const *x, size_t offset, mixed *out)
{
    const __m256i a = load((const char *)x[0] + offset), b = load((const char *)x[1] + offset);
    out[0] = _mm256_unpacklo_epi16(a, b);
    out[1] = _mm256_unpackhi_epi16(a, b);
}
static inline sums multiply(sums total, mixed x, const int8_t *w)
{
    const __m256i weights = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)w));
    return _mm256_add_epi32(total, _mm256_madd_epi16(x, weights));
}

typedef struct bounds {
    __m256 high;
    __m128i low;
} bounds;

static inline bounds bounds_of(const ferry_finish *f)
{
    return (bounds){_mm256_set1_ps(ferry_sat8(f->high)),
                    _mm_set1_epi8(ferry_sat8(f->low < f->high ? f->low : f->high))};
}

// Rounding keeps order, so that the lower bounds, int8's and the activation's, may as well come after it.
static inline void store(int8_t *y, size_t n, const sums v[2], const float *mults, const float *biases, bounds within)
{
    __m256i whole[2];
    for (int i = 0; i < 2; i++) {
        const vf t = vf_fma(_mm256_cvtepi32_ps(v[i]), vf_load(mults + i * 8), vf_load(biases + i * 8));
        whole[i] = _mm256_cvtps_epi32(_mm256_min_ps(t, within.high));
    }
    const __m256i words = _mm256_packs_epi32(whole[0], whole[1]);
    const __m128i narrow = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    int8_t bytes[BLOCK];
    int8_t *to = n == BLOCK ? y : bytes;
    _mm_storeu_si128((__m128i *)(void *)to, _mm_max_epi8(narrow, within.low));
    for (size_t i = 0; to == bytes && i < n; i++) y[i] = bytes[i];
}

static inline void copy_elements(const int8_t *x, element *to, size_t n)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        _mm256_storeu_si256((__m256i *)(void *)(to + i),
                            _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(x + i))));
    for (; i < n; i++) to[i] = x[i];
}

#include "backend/cpu/depthwise_lines_s8_strip.h"
