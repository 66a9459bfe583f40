// SPDX-License-Identifier: Apache-2.0
// Depthwise convolutions over copied lines for AVX-512 VNNI: four taps of 64 channels, interleaved byte by byte for
// vpdpbusd. Interleaving leaves the channels of a 128-bit lane spread over four vectors; packing the results to bytes
// brings them back in order.
#include "backend/cpu/x86/simd_avx512.h"

#include "backend/cpu/finish.h"

#define SUFFIX avx512vnni
#define BLOCK 64
#define TQ 4
#define N_SUMS 4

typedef uint8_t element;
typedef __m512i sums, mixed;

static inline sums sums_load(const char *p)
{
    return _mm512_loadu_si512(p);
}
static inline void mix(const void *const *x, size_t offset, mixed *out)
{
    const __m512i a = _mm512_loadu_si512((const char *)x[0] + offset);
    const __m512i b = _mm512_loadu_si512((const char *)x[1] + offset);
    const __m512i c = _mm512_loadu_si512((const char *)x[2] + offset);
    const __m512i d = _mm512_loadu_si512((const char *)x[3] + offset);
    const __m512i low_ab = _mm512_unpacklo_epi8(a, b), high_ab = _mm512_unpackhi_epi8(a, b);
    const __m512i low_cd = _mm512_unpacklo_epi8(c, d), high_cd = _mm512_unpackhi_epi8(c, d);
    out[0] = _mm512_unpacklo_epi16(low_ab, low_cd);
    out[1] = _mm512_unpackhi_epi16(low_ab, low_cd);
    out[2] = _mm512_unpacklo_epi16(high_ab, high_cd);
    out[3] = _mm512_unpackhi_epi16(high_ab, high_cd);
}
static inline sums multiply(sums total, mixed x, const int8_t *w)
{
    return _mm512_dpbusd_epi32(total, x, _mm512_loadu_si512(w));
}

typedef struct bounds {
    __m512 high;
    __m512i low;
} bounds;

static inline bounds bounds_of(const ferry_finish *f)
{
    return (bounds){_mm512_set1_ps(ferry_sat8(f->high)),
                    _mm512_set1_epi8(ferry_sat8(f->low < f->high ? f->low : f->high))};
}

// Rounding keeps order, so that the lower bounds, int8's and the activation's, may as well come after it.
static inline void store(int8_t *y, size_t n, const sums v[4], const float *mults, const float *biases, bounds within)
{
    __m512i whole[4];
    for (int i = 0; i < 4; i++) {
        const vf t = vf_fma(_mm512_cvtepi32_ps(v[i]), vf_load(mults + i * 16), vf_load(biases + i * 16));
        whole[i] = _mm512_cvtps_epi32(_mm512_min_ps(t, within.high));
    }
    const __m512i a = _mm512_packs_epi32(whole[0], whole[1]), b = _mm512_packs_epi32(whole[2], whole[3]);
    const __m512i bytes = _mm512_max_epi8(_mm512_packs_epi16(a, b), within.low);
    if (n == BLOCK)
        _mm512_storeu_si512(y, bytes);
    else
        _mm512_mask_storeu_epi8(y, ((__mmask64)1 << n) - 1, bytes);
}

static inline void copy_elements(const int8_t *x, element *to, size_t n)
{
    const __m512i bias = _mm512_set1_epi8(-128);
    size_t i = 0;
    for (; i + 64 <= n; i += 64) _mm512_storeu_si512(to + i, _mm512_xor_si512(_mm512_loadu_si512(x + i), bias));
    const __m512i rest = _mm512_maskz_loadu_epi8(((__mmask64)1 << (n - i)) - 1, x + i);
    if (i < n) _mm512_storeu_si512(to + i, _mm512_xor_si512(rest, bias));
}

#include "backend/cpu/depthwise_lines_s8_strip.h"
