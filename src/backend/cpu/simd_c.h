// SPDX-License-Identifier: Apache-2.0
// Vectors of 4 floats in plain C: the row that every build has. See x86/simd_avx512.h for what the names mean.
#ifndef FERRY_SRC_BACKEND_CPU_SIMD_C_H_
#define FERRY_SRC_BACKEND_CPU_SIMD_C_H_

#include <math.h>
#include <stddef.h>

#include "base/f16.h"
#include "ops/epilogue.h"

#define VEC 4

typedef struct vf {
    float v[VEC];
} vf;

#define VF_MAP(expression)                                                                                             \
    vf to;                                                                                                             \
    for (int i = 0; i < VEC; i++) to.v[i] = (expression);                                                              \
    return to

static inline vf vf_set1(float x)
{
    VF_MAP(x);
}
static inline vf vf_load(const float *p)
{
    VF_MAP(p[i]);
}
static inline void vf_store(float *p, vf v)
{
    for (int i = 0; i < VEC; i++) p[i] = v.v[i];
}
static inline vf vf_load_part(const float *p, size_t n)
{
    VF_MAP((size_t)i < n ? p[i] : 0);
}
static inline void vf_store_part(float *p, vf v, size_t n)
{
    for (size_t i = 0; i < n; i++) p[i] = v.v[i];
}
#ifdef FERRY_FUSED_C
static inline vf vf_fma(vf a, vf b, vf c)
{
    VF_MAP(fmaf(a.v[i], b.v[i], c.v[i]));
}
#else
// Two roundings: fmaf without the instruction is a slow call, and a float result may differ by that much.
static inline vf vf_fma(vf a, vf b, vf c)
{
    VF_MAP(a.v[i] * b.v[i] + c.v[i]);
}
#endif
static inline vf vf_add(vf a, vf b)
{
    VF_MAP(a.v[i] + b.v[i]);
}
static inline vf vf_sub(vf a, vf b)
{
    VF_MAP(a.v[i] - b.v[i]);
}
static inline vf vf_mul(vf a, vf b)
{
    VF_MAP(a.v[i] * b.v[i]);
}
static inline vf vf_div(vf a, vf b)
{
    VF_MAP(a.v[i] / b.v[i]);
}
// Adding the large number rounds.
static inline vf vf_round(vf t)
{
    VF_MAP((t.v[i] + 0x1.8p23f) - 0x1.8p23f);
}
// By two factors, neither of which overflows. A NaN, which stays one, must not be converted.
static inline vf vf_scale(vf t, vf n)
{
    vf to;
    for (int i = 0; i < VEC; i++) {
        const int32_t all = n.v[i] == n.v[i] ? (int32_t)n.v[i] : 0, half = all / 2;
        to.v[i] = t.v[i] * ferry_f32_from_bits((uint32_t)(half + 127) << 23) *
                  ferry_f32_from_bits((uint32_t)(all - half + 127) << 23);
    }
    return to;
}
static inline vf vf_at_least(vf bound, vf t)
{
    VF_MAP(t.v[i] < bound.v[i] ? bound.v[i] : t.v[i]);
}
static inline vf vf_at_most(vf bound, vf t)
{
    VF_MAP(t.v[i] > bound.v[i] ? bound.v[i] : t.v[i]);
}
static inline vf vf_if_negative(vf t, vf below)
{
    VF_MAP(t.v[i] < 0 ? below.v[i] : t.v[i]);
}

static inline float vf_sum(vf v)
{
    return (v.v[0] + v.v[2]) + (v.v[1] + v.v[3]);
}
static inline float vf_most(vf v)
{
    float most = v.v[0];
    for (int i = 1; i < VEC; i++) most = v.v[i] > most ? v.v[i] : most;
    return most;
}

static inline vf vf_load_s32(const int32_t *p)
{
    VF_MAP((float)p[i]);
}
static inline vf vf_load_s8(const int8_t *p, size_t n)
{
    VF_MAP((size_t)i < n ? p[i] : 0);
}
static inline void vf_store_s8(int8_t *p, vf t, size_t n)
{
    for (size_t i = 0; i < n; i++) p[i] = (int8_t)nearbyintf(t.v[i]);
}
static inline void vf_store_sat8(int8_t *p, vf t, size_t n)
{
    for (size_t i = 0; i < n; i++) p[i] = ferry_sat8(t.v[i]);
}

#undef VF_MAP

#endif // FERRY_SRC_BACKEND_CPU_SIMD_C_H_
