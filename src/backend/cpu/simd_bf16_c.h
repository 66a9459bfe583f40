// SPDX-License-Identifier: Apache-2.0
// Vectors of bf16 pairs in plain C, after simd_c.h: for the kernels that are written once for all instruction sets
// (gemm_bf16_tile.h and others). Every such header defines the same names.
#ifndef FERRY_SRC_BACKEND_CPU_SIMD_BF16_C_H_
#define FERRY_SRC_BACKEND_CPU_SIMD_BF16_C_H_

#include "base/f16.h"

/// VEC lanes of two neighbouring elements: the even one and the odd one.
typedef struct vp {
    uint16_t v[2 * VEC];
} vp;

static inline vp vp_load(const uint16_t *p)
{
    vp to;
    for (int i = 0; i < 2 * VEC; i++) to.v[i] = p[i];
    return to;
}
// The first n < 2 * VEC elements; the others are 0 and never touched in memory.
static inline vp vp_load_part(const uint16_t *p, size_t n)
{
    vp to;
    for (int i = 0; i < 2 * VEC; i++) to.v[i] = (size_t)i < n ? p[i] : 0;
    return to;
}
static inline void vp_store(uint16_t *p, vp v)
{
    for (int i = 0; i < 2 * VEC; i++) p[i] = v.v[i];
}
static inline void vp_store_part(uint16_t *p, vp v, size_t n)
{
    for (size_t i = 0; i < n; i++) p[i] = v.v[i];
}
// The pair at p in every lane.
static inline vp vp_set1(const uint16_t *p)
{
    vp to;
    for (int i = 0; i < 2 * VEC; i++) to.v[i] = p[i % 2];
    return to;
}
// The element at p in every lane, and 0 beside it.
static inline vp vp_set1_last(const uint16_t *p)
{
    vp to;
    for (int i = 0; i < 2 * VEC; i++) to.v[i] = i % 2 ? 0 : *p;
    return to;
}
static inline vf vp_even(vp a)
{
    vf to;
    for (int i = 0; i < VEC; i++) to.v[i] = ferry_f32_from_bf16(a.v[2 * i]);
    return to;
}
static inline vf vp_odd(vp a)
{
    vf to;
    for (int i = 0; i < VEC; i++) to.v[i] = ferry_f32_from_bf16(a.v[2 * i + 1]);
    return to;
}
// Rounded to nearest even.
static inline vp vp_from_even_odd(vf even, vf odd)
{
    vp to;
    for (int i = 0; i < VEC; i++) {
        to.v[2 * i] = ferry_bf16_from_f32(even.v[i]);
        to.v[2 * i + 1] = ferry_bf16_from_f32(odd.v[i]);
    }
    return to;
}
// The elements of one vector, then those of another.
static inline vp vp_from_two(vf first, vf second)
{
    vp to;
    for (int i = 0; i < VEC; i++) {
        to.v[i] = ferry_bf16_from_f32(first.v[i]);
        to.v[VEC + i] = ferry_bf16_from_f32(second.v[i]);
    }
    return to;
}
// Elements of a beside those of b: of the first VEC, and of the others.
static inline vp vp_zip(vp a, vp b, int first)
{
    vp to;
    for (int i = 0; i < VEC; i++) {
        to.v[2 * i] = a.v[first + i];
        to.v[2 * i + 1] = b.v[first + i];
    }
    return to;
}
static inline vp vp_zip_low(vp a, vp b)
{
    return vp_zip(a, b, 0);
}
static inline vp vp_zip_high(vp a, vp b)
{
    return vp_zip(a, b, VEC);
}
// sum + even * even + odd * odd in each lane
static inline vf vp_dot(vf sum, vp a, vp b)
{
    return vf_fma(vp_odd(a), vp_odd(b), vf_fma(vp_even(a), vp_even(b), sum));
}

// The larger one; NaN where either is.
static inline vf vf_larger(vf a, vf b)
{
    vf to;
    for (int i = 0; i < VEC; i++) to.v[i] = b.v[i] > a.v[i] || b.v[i] != b.v[i] ? b.v[i] : a.v[i];
    return to;
}

// VEC elements as floats; fewer in the _part forms.
static inline vf vf_load_bf16_part(const uint16_t *p, size_t n)
{
    vf to;
    for (int i = 0; i < VEC; i++) to.v[i] = (size_t)i < n ? ferry_f32_from_bf16(p[i]) : 0;
    return to;
}
static inline vf vf_load_bf16(const uint16_t *p)
{
    return vf_load_bf16_part(p, VEC);
}
static inline void vf_store_bf16_part(uint16_t *p, vf v, size_t n)
{
    for (size_t i = 0; i < n; i++) p[i] = ferry_bf16_from_f32(v.v[i]);
}
static inline void vf_store_bf16(uint16_t *p, vf v)
{
    vf_store_bf16_part(p, v, VEC);
}

#endif // FERRY_SRC_BACKEND_CPU_SIMD_BF16_C_H_
