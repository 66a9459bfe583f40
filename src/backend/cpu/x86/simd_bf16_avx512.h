// SPDX-License-Identifier: Apache-2.0
// Vectors of 16 bf16 pairs, after simd_avx512.h; see ../simd_bf16_c.h for what the names mean. With AVX512-BF16 the
// products and the rounding are one instruction each, which take denormals for zeros.
#ifndef FERRY_SRC_BACKEND_CPU_X86_SIMD_BF16_AVX512_H_
#define FERRY_SRC_BACKEND_CPU_X86_SIMD_BF16_AVX512_H_

#include <string.h>

typedef __m512i vp;

static inline vp vp_load(const uint16_t *p)
{
    return _mm512_loadu_si512(p);
}
static inline vp vp_load_part(const uint16_t *p, size_t n)
{
    return _mm512_maskz_loadu_epi16((__mmask32)(((uint64_t)1 << n) - 1), p);
}
static inline void vp_store(uint16_t *p, vp v)
{
    _mm512_storeu_si512(p, v);
}
static inline void vp_store_part(uint16_t *p, vp v, size_t n)
{
    _mm512_mask_storeu_epi16(p, (__mmask32)(((uint64_t)1 << n) - 1), v);
}
static inline vp vp_set1(const uint16_t *p)
{
    int32_t pair;
    memcpy(&pair, p, sizeof pair);
    return _mm512_set1_epi32(pair);
}
static inline vp vp_set1_last(const uint16_t *p)
{
    return _mm512_set1_epi32(*p);
}
static inline vf vp_even(vp a)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(a, 16));
}
static inline vf vp_odd(vp a)
{
    return _mm512_castsi512_ps(_mm512_and_si512(a, _mm512_set1_epi32((int32_t)0xffff0000u)));
}
static inline vp vp_zip_low(vp a, vp b)
{
    const __m512i order = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6,
                                           37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    return _mm512_permutex2var_epi16(a, order, b);
}
static inline vp vp_zip_high(vp a, vp b)
{
    const __m512i order = _mm512_set_epi16(63, 31, 62, 30, 61, 29, 60, 28, 59, 27, 58, 26, 57, 25, 56, 24, 55, 23, 54,
                                           22, 53, 21, 52, 20, 51, 19, 50, 18, 49, 17, 48, 16);
    return _mm512_permutex2var_epi16(a, order, b);
}
static inline vf vf_larger(vf a, vf b)
{
    const __mmask16 larger = _mm512_cmp_ps_mask(b, a, _CMP_GT_OQ), nan = _mm512_cmp_ps_mask(b, b, _CMP_UNORD_Q);
    return _mm512_mask_mov_ps(a, _kor_mask16(larger, nan), b);
}
static inline vf vf_load_bf16(const uint16_t *p)
{
    return vp_even(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)));
}
static inline vf vf_load_bf16_part(const uint16_t *p, size_t n)
{
    return vp_even(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16((__mmask16)((1u << n) - 1), p)));
}

#ifdef __AVX512BF16__
static inline vf vp_dot(vf sum, vp a, vp b)
{
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
}
static inline vp vp_from_two(vf first, vf second)
{
    return (__m512i)_mm512_cvtne2ps_pbh(second, first);
}
static inline vp vp_from_even_odd(vf even, vf odd)
{
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                           21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(order, vp_from_two(even, odd));
}
static inline __m256i vf_rounded(vf v)
{
    return (__m256i)_mm512_cvtneps_pbh(v);
}
#else
static inline vf vp_dot(vf sum, vp a, vp b)
{
    return _mm512_fmadd_ps(vp_odd(a), vp_odd(b), _mm512_fmadd_ps(vp_even(a), vp_even(b), sum));
}
// Rounded to nearest even in the upper halves of the lanes; NaN stays NaN.
static inline __m512i vf_round_upper(vf v)
{
    const __m512i bits = _mm512_castps_si512(v),
                  odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i up = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
    return _mm512_mask_or_epi32(up, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), bits, _mm512_set1_epi32(0x400000));
}
static inline vp vp_from_even_odd(vf even, vf odd)
{
    return _mm512_mask_blend_epi16(0xaaaaaaaau, _mm512_srli_epi32(vf_round_upper(even), 16), vf_round_upper(odd));
}
static inline __m256i vf_rounded(vf v)
{
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(vf_round_upper(v), 16));
}
static inline vp vp_from_two(vf first, vf second)
{
    return _mm512_inserti64x4(_mm512_castsi256_si512(vf_rounded(first)), vf_rounded(second), 1);
}
#endif

static inline void vf_store_bf16(uint16_t *p, vf v)
{
    _mm256_storeu_si256((__m256i *)p, vf_rounded(v));
}
static inline void vf_store_bf16_part(uint16_t *p, vf v, size_t n)
{
    _mm256_mask_storeu_epi16(p, (__mmask16)((1u << n) - 1), vf_rounded(v));
}

#endif // FERRY_SRC_BACKEND_CPU_X86_SIMD_BF16_AVX512_H_
