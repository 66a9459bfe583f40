// SPDX-License-Identifier: Apache-2.0
// Conversions of f16 for NEON, whose instructions for them every 64-bit ARM has.
#include "backend/cpu/arm/simd_neon.h"
#include "backend/cpu/arm/simd_f16_neon.h"
#include "backend/cpu/loops_half.h"

void ferry_widen_f16__neon(const uint16_t *x, float *y, size_t n);
void ferry_widen_f16__neon(const uint16_t *x, float *y, size_t n)
{
    size_t i = 0;
    for (; i + VEC <= n; i += VEC) vf_store(y + i, vf_load_f16(x + i));
    if (i < n) vf_store_part(y + i, vf_load_f16_part(x + i, n - i), n - i);
}

void ferry_narrow_f16__neon(const float *x, uint16_t *y, size_t n);
void ferry_narrow_f16__neon(const float *x, uint16_t *y, size_t n)
{
    size_t i = 0;
    for (; i + VEC <= n; i += VEC) vf_store_f16(y + i, vf_load(x + i));
    if (i < n) vf_store_f16_part(y + i, vf_load_part(x + i, n - i), n - i);
}
