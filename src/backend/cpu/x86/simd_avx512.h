// SPDX-License-Identifier: Apache-2.0
// Vectors of 16 floats for the kernels that are written once for all instruction sets (gemm_f32_tile.h and others).
// Every such header defines the same names.
#ifndef FERRY_SRC_BACKEND_CPU_X86_SIMD_AVX512_H_
#define FERRY_SRC_BACKEND_CPU_X86_SIMD_AVX512_H_

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define VEC 16

typedef __m512 vf;

static inline vf vf_set1(float x)
{
    return _mm512_set1_ps(x);
}
static inline vf vf_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
static inline void vf_store(float *p, vf v)
{
    _mm512_storeu_ps(p, v);
}
// The first n < VEC elements; the others are 0 and never touched in memory.
static inline vf vf_load_part(const float *p, size_t n)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}
static inline void vf_store_part(float *p, vf v, size_t n)
{
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), v);
}
// a * b + c, rounded once where the instruction set can
static inline vf vf_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}
static inline vf vf_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}
static inline vf vf_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}
static inline vf vf_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}
static inline vf vf_div(vf a, vf b)
{
    return _mm512_div_ps(a, b);
}
// To the nearest integer, halves to even; |t| < 2^22.
static inline vf vf_round(vf t)
{
    return _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
// t * 2^n for integers |n| <= 250, rounded once more at most where the result is subnormal.
static inline vf vf_scale(vf t, vf n)
{
    return _mm512_scalef_ps(t, n);
}
// The larger / smaller of a bound and t; a NaN in t passes through.
static inline vf vf_at_least(vf bound, vf t)
{
    return _mm512_max_ps(bound, t);
}
static inline vf vf_at_most(vf bound, vf t)
{
    return _mm512_min_ps(bound, t);
}
// t < 0 ? below : t
static inline vf vf_if_negative(vf t, vf below)
{
    return _mm512_mask_mov_ps(t, _mm512_cmp_ps_mask(t, _mm512_setzero_ps(), _CMP_LT_OQ), below);
}

// Over all lanes, in an order of the instruction set's own. The largest one of a vector with NaNs is anything.
static inline float vf_sum(vf v)
{
    return _mm512_reduce_add_ps(v);
}
static inline float vf_most(vf v)
{
    return _mm512_reduce_max_ps(v);
}

// int32 and int8 as floats.
static inline vf vf_load_s32(const int32_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_loadu_si512(p));
}
// n <= VEC elements; the others are 0.
static inline vf vf_load_s8(const int8_t *p, size_t n)
{
    if (n == VEC) return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8((__mmask16)((1u << n) - 1), p)));
}
// n <= VEC elements from -128 to 127, rounded half to even.
static inline void vf_store_s8(int8_t *p, vf t, size_t n)
{
    const __m128i bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(t));
    if (n == VEC)
        _mm_storeu_si128((__m128i *)(void *)p, bytes);
    else
        _mm_mask_storeu_epi8(p, (__mmask16)((1u << n) - 1), bytes);
}
// sat8 of docs/INT8.md: NaN becomes 0, clamped, rounded half to even.
static inline void vf_store_sat8(int8_t *p, vf t, size_t n)
{
    t = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(t, t, _CMP_ORD_Q), t);
    vf_store_s8(p, _mm512_min_ps(_mm512_max_ps(t, _mm512_set1_ps(-128)), _mm512_set1_ps(127)), n);
}

#endif // FERRY_SRC_BACKEND_CPU_X86_SIMD_AVX512_H_
