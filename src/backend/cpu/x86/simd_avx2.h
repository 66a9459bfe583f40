// SPDX-License-Identifier: Apache-2.0
// Vectors of 8 floats; see simd_avx512.h for what the names mean.
#ifndef FERRY_SRC_BACKEND_CPU_X86_SIMD_AVX2_H_
#define FERRY_SRC_BACKEND_CPU_X86_SIMD_AVX2_H_

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VEC 8

typedef __m256 vf;

static inline vf vf_set1(float x)
{
    return _mm256_set1_ps(x);
}
static inline vf vf_load(const float *p)
{
    return _mm256_loadu_ps(p);
}
static inline void vf_store(float *p, vf v)
{
    _mm256_storeu_ps(p, v);
}
static inline __m256i vf_first(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline vf vf_load_part(const float *p, size_t n)
{
    return _mm256_maskload_ps(p, vf_first(n));
}
static inline void vf_store_part(float *p, vf v, size_t n)
{
    _mm256_maskstore_ps(p, vf_first(n), v);
}
static inline vf vf_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}
static inline vf vf_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}
static inline vf vf_sub(vf a, vf b)
{
    return _mm256_sub_ps(a, b);
}
static inline vf vf_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}
static inline vf vf_div(vf a, vf b)
{
    return _mm256_div_ps(a, b);
}
static inline vf vf_round(vf t)
{
    return _mm256_round_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
// By two factors, neither of which overflows.
static inline vf vf_scale(vf t, vf n)
{
    const __m256i all = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(all, 1), bias = _mm256_set1_epi32(127);
    const __m256i a = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
    const __m256i b = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(all, half), bias), 23);
    return _mm256_mul_ps(_mm256_mul_ps(t, _mm256_castsi256_ps(a)), _mm256_castsi256_ps(b));
}
static inline vf vf_at_least(vf bound, vf t)
{
    return _mm256_max_ps(bound, t);
}
static inline vf vf_at_most(vf bound, vf t)
{
    return _mm256_min_ps(bound, t);
}
static inline vf vf_if_negative(vf t, vf below)
{
    return _mm256_blendv_ps(t, below, _mm256_cmp_ps(t, _mm256_setzero_ps(), _CMP_LT_OQ));
}

static inline float vf_sum(vf v)
{
    const __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(pair, _mm_shuffle_ps(pair, pair, 1)));
}
static inline float vf_most(vf v)
{
    const __m128 half = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 pair = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(pair, _mm_shuffle_ps(pair, pair, 1)));
}

static inline vf vf_load_s32(const int32_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *)p));
}
static inline vf vf_load_s8(const int8_t *p, size_t n)
{
    int64_t eight = 0;
    if (n == VEC)
        memcpy(&eight, p, VEC);
    else
        for (size_t i = 0; i < n; i++) eight |= (int64_t)((uint64_t)(uint8_t)p[i] << (8 * i));
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_cvtsi64_si128(eight)));
}
static inline void vf_store_s8(int8_t *p, vf t, size_t n)
{
    const __m256i whole = _mm256_cvtps_epi32(t);
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
    const int64_t bytes = _mm_cvtsi128_si64(_mm_packs_epi16(words, words));
    if (n == VEC) {
        memcpy(p, &bytes, VEC);
        return;
    }
    for (size_t i = 0; i < n; i++) p[i] = (int8_t)((uint64_t)bytes >> (8 * i));
}
static inline void vf_store_sat8(int8_t *p, vf t, size_t n)
{
    t = _mm256_and_ps(t, _mm256_cmp_ps(t, t, _CMP_ORD_Q));
    vf_store_s8(p, _mm256_min_ps(_mm256_max_ps(t, _mm256_set1_ps(-128)), _mm256_set1_ps(127)), n);
}

#endif // FERRY_SRC_BACKEND_CPU_X86_SIMD_AVX2_H_
