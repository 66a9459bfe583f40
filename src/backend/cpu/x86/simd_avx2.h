// SPDX-License-Identifier: Apache-2.0
// Vectors of 8 floats; see simd_avx512.h for what the names mean.
#ifndef FERRY_SRC_BACKEND_CPU_X86_SIMD_AVX2_H_
#define FERRY_SRC_BACKEND_CPU_X86_SIMD_AVX2_H_

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

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
static inline vf vf_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
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

#endif // FERRY_SRC_BACKEND_CPU_X86_SIMD_AVX2_H_
