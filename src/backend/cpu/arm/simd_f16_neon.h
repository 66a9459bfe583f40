// SPDX-License-Identifier: Apache-2.0
// Vectors of 4 floats to and from f16, after simd_neon.h: conversions that every 64-bit ARM has.
#ifndef FERRY_SRC_BACKEND_CPU_ARM_SIMD_F16_NEON_H_
#define FERRY_SRC_BACKEND_CPU_ARM_SIMD_F16_NEON_H_

static inline vf vf_load_f16(const uint16_t *p)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}
static inline vf vf_load_f16_part(const uint16_t *p, size_t n)
{
    uint16_t all[4] = {0, 0, 0, 0};
    for (size_t i = 0; i < n; i++) all[i] = p[i];
    return vf_load_f16(all);
}
static inline void vf_store_f16(uint16_t *p, vf v)
{
    vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(v)));
}
static inline void vf_store_f16_part(uint16_t *p, vf v, size_t n)
{
    uint16_t all[4];
    vf_store_f16(all, v);
    for (size_t i = 0; i < n; i++) p[i] = all[i];
}

#endif // FERRY_SRC_BACKEND_CPU_ARM_SIMD_F16_NEON_H_
