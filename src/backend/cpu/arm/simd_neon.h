// SPDX-License-Identifier: Apache-2.0
// Vectors of 4 floats; see x86/simd_avx512.h for what the names mean.
#ifndef FERRY_SRC_BACKEND_CPU_ARM_SIMD_NEON_H_
#define FERRY_SRC_BACKEND_CPU_ARM_SIMD_NEON_H_

#include <arm_neon.h>
#include <stddef.h>
#include <string.h>

#define VEC 4

typedef float32x4_t vf;

static inline vf vf_set1(float x)
{
    return vdupq_n_f32(x);
}
static inline vf vf_load(const float *p)
{
    return vld1q_f32(p);
}
static inline void vf_store(float *p, vf v)
{
    vst1q_f32(p, v);
}
static inline vf vf_load_part(const float *p, size_t n)
{
    float all[4] = {0, 0, 0, 0};
    for (size_t i = 0; i < n; i++) all[i] = p[i];
    return vld1q_f32(all);
}
static inline void vf_store_part(float *p, vf v, size_t n)
{
    float all[4];
    vst1q_f32(all, v);
    for (size_t i = 0; i < n; i++) p[i] = all[i];
}
static inline vf vf_fma(vf a, vf b, vf c)
{
    return vfmaq_f32(c, a, b);
}
static inline vf vf_add(vf a, vf b)
{
    return vaddq_f32(a, b);
}
static inline vf vf_mul(vf a, vf b)
{
    return vmulq_f32(a, b);
}
// The bounds are never NaN.
static inline vf vf_at_least(vf bound, vf t)
{
    return vmaxq_f32(bound, t);
}
static inline vf vf_at_most(vf bound, vf t)
{
    return vminq_f32(bound, t);
}
static inline vf vf_if_negative(vf t, vf below)
{
    return vbslq_f32(vcltzq_f32(t), below, t);
}

#endif // FERRY_SRC_BACKEND_CPU_ARM_SIMD_NEON_H_
