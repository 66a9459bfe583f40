// SPDX-License-Identifier: Apache-2.0
// Strips of int8 depthwise convolutions for AVX-512 VNNI: four taps of 64 channels, interleaved byte by byte for
// vpdpbusd. Interleaving leaves the channels of a 128-bit lane spread over four vectors; packing the results to bytes
// brings them back in order.
#include "backend/cpu/x86/simd_avx512.h"

#include "backend/cpu/depthwise_s8.h"

#define KERNEL ferry_depthwise_s8__avx512vnni
#define BLOCK 64
#define TQ 4
#define SLOT(channel) ((channel) % 16 / 4 * 16 + (channel) / 16 * 4 + (channel) % 4)
#define FAST_STORE

typedef struct sums4 {
    __m512i v[4];
} sums4;

static inline __attribute__((always_inline)) sums4 sum_four(const ferry_depthwise_s8_strip *s, const char *block,
                                                            size_t offset, __mmask64 mask)
{
    const char *w = block + BLOCK * (sizeof(int32_t) + 2 * sizeof(float));
    const __m512i bias = _mm512_set1_epi8(-128);
    sums4 acc;
    for (int i = 0; i < 4; i++) acc.v[i] = _mm512_loadu_si512(block + i * 64);
    for (size_t t = 0; t < s->taps; t += TQ, w += BLOCK * TQ) {
        __m512i x[4];
        for (int i = 0; i < 4; i++)
            x[i] = _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, s->x[t + (size_t)i] + offset), bias);
        const __m512i low01 = _mm512_unpacklo_epi8(x[0], x[1]), high01 = _mm512_unpackhi_epi8(x[0], x[1]);
        const __m512i low23 = _mm512_unpacklo_epi8(x[2], x[3]), high23 = _mm512_unpackhi_epi8(x[2], x[3]);
        acc.v[0] = _mm512_dpbusd_epi32(acc.v[0], _mm512_unpacklo_epi16(low01, low23), _mm512_loadu_si512(w));
        acc.v[1] = _mm512_dpbusd_epi32(acc.v[1], _mm512_unpackhi_epi16(low01, low23), _mm512_loadu_si512(w + 64));
        acc.v[2] = _mm512_dpbusd_epi32(acc.v[2], _mm512_unpacklo_epi16(high01, high23), _mm512_loadu_si512(w + 128));
        acc.v[3] = _mm512_dpbusd_epi32(acc.v[3], _mm512_unpackhi_epi16(high01, high23), _mm512_loadu_si512(w + 192));
    }
    return acc;
}

static inline __mmask64 first(size_t n)
{
    return n >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << n) - 1;
}

static void sum_taps(const ferry_depthwise_s8_strip *s, const char *block, size_t offset, size_t n, int32_t *out)
{
    const sums4 acc = sum_four(s, block, offset, first(n));
    for (int i = 0; i < 4; i++) _mm512_storeu_si512(out + i * 16, acc.v[i]);
}

// Bounds within int8, the sum finite: clamping once is enough.
static inline void store_fast(const ferry_depthwise_s8_strip *s, const char *block, size_t offset, size_t n, int8_t *y)
{
    const sums4 acc = sum_four(s, block, offset, first(n));
    const float *mults = (const float *)(block + BLOCK * sizeof(int32_t)), *biases = mults + BLOCK;
    const vf low = vf_set1(s->finish->low), high = vf_set1(s->finish->high);
    const vf least = vf_set1(-128), most = vf_set1(127);
    __m512i whole[4];
    for (int i = 0; i < 4; i++) {
        vf t = vf_fma(_mm512_cvtepi32_ps(acc.v[i]), vf_load(mults + i * 16), vf_load(biases + i * 16));
        t = vf_at_most(high, vf_at_least(low, t));
        whole[i] = _mm512_cvtps_epi32(vf_at_most(most, vf_at_least(least, t)));
    }
    const __m512i a = _mm512_packs_epi32(whole[0], whole[1]), b = _mm512_packs_epi32(whole[2], whole[3]);
    _mm512_mask_storeu_epi8(y, first(n), _mm512_packs_epi16(a, b));
}

#include "backend/cpu/depthwise_s8_strip.h"
