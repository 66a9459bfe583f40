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
static inline vf vf_sub(vf a, vf b)
{
    return vsubq_f32(a, b);
}
static inline vf vf_mul(vf a, vf b)
{
    return vmulq_f32(a, b);
}
static inline vf vf_div(vf a, vf b)
{
    return vdivq_f32(a, b);
}
static inline vf vf_round(vf t)
{
    return vrndnq_f32(t);
}
// By two factors, neither of which overflows.
static inline vf vf_scale(vf t, vf n)
{
    const int32x4_t all = vcvtq_s32_f32(n), half = vshrq_n_s32(all, 1), bias = vdupq_n_s32(127);
    const int32x4_t a = vshlq_n_s32(vaddq_s32(half, bias), 23);
    const int32x4_t b = vshlq_n_s32(vaddq_s32(vsubq_s32(all, half), bias), 23);
    return vmulq_f32(vmulq_f32(t, vreinterpretq_f32_s32(a)), vreinterpretq_f32_s32(b));
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

static inline float vf_sum(vf v)
{
    return vaddvq_f32(v);
}
static inline float vf_most(vf v)
{
    return vmaxvq_f32(v);
}

static inline vf vf_load_s32(const int32_t *p)
{
    return vcvtq_f32_s32(vld1q_s32(p));
}
static inline vf vf_load_s8(const int8_t *p, size_t n)
{
    int32_t four = 0;
    if (n == VEC)
        memcpy(&four, p, VEC);
    else
        for (size_t i = 0; i < n; i++) four |= (int32_t)((uint32_t)(uint8_t)p[i] << (8 * i));
    const int16x8_t words = vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(four)));
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(words)));
}
static inline void vf_store_s8(int8_t *p, vf t, size_t n)
{
    const int16x4_t words = vqmovn_s32(vcvtnq_s32_f32(t));
    int8_t bytes[8];
    vst1_s8(bytes, vqmovn_s16(vcombine_s16(words, words)));
    if (n == VEC)
        memcpy(p, bytes, VEC);
    else
        for (size_t i = 0; i < n; i++) p[i] = bytes[i];
}
// The conversion turns NaN into 0 and saturates, and the narrowing moves saturate too.
static inline void vf_store_sat8(int8_t *p, vf t, size_t n)
{
    vf_store_s8(p, t, n);
}

#endif // FERRY_SRC_BACKEND_CPU_ARM_SIMD_NEON_H_
