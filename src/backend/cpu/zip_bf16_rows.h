// SPDX-License-Identifier: Apache-2.0
// The loops of zip_bf16.h, written once: a file per instruction set includes it after its simd headers, with ZIP_BF16
// and ZIP_F32, the functions' names.
#include "backend/cpu/zip_bf16.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

// VEC elements of both, or the first n.
static ALWAYS_INLINE vp zip_of_f32(const float *a, const float *b, size_t i, size_t n)
{
    const vf zeros = vf_set1(0);
    const vf even = !a ? zeros : n < VEC ? vf_load_part(a + i, n) : vf_load(a + i);
    const vf odd = !b ? zeros : n < VEC ? vf_load_part(b + i, n) : vf_load(b + i);
    return vp_from_even_odd(even, odd);
}

void ZIP_F32(const float *a, const float *b, uint16_t *y, size_t n);
void ZIP_F32(const float *a, const float *b, uint16_t *y, size_t n)
{
    size_t i = 0;
    for (; i + VEC <= n; i += VEC) vp_store(y + 2 * i, zip_of_f32(a, b, i, VEC));
    if (i < n) vp_store_part(y + 2 * i, zip_of_f32(a, b, i, n - i), 2 * (n - i));
}

static ALWAYS_INLINE vp part_of(const uint16_t *line, size_t i, size_t n)
{
    static const uint16_t nothing[2 * VEC];
    return !line ? vp_load(nothing) : n < 2 * VEC ? vp_load_part(line + i, n) : vp_load(line + i);
}

void ZIP_BF16(const uint16_t *a, const uint16_t *b, uint16_t *y, size_t n);
void ZIP_BF16(const uint16_t *a, const uint16_t *b, uint16_t *y, size_t n)
{
    size_t i = 0;
    for (; i + 2 * VEC <= n; i += 2 * VEC) {
        const vp even = part_of(a, i, 2 * VEC), odd = part_of(b, i, 2 * VEC);
        vp_store(y + 2 * i, vp_zip_low(even, odd));
        vp_store(y + 2 * i + 2 * VEC, vp_zip_high(even, odd));
    }
    if (i == n) return;
    const size_t left = n - i;
    const vp even = part_of(a, i, left), odd = part_of(b, i, left);
    if (left < VEC) {
        vp_store_part(y + 2 * i, vp_zip_low(even, odd), 2 * left);
        return;
    }
    vp_store(y + 2 * i, vp_zip_low(even, odd));
    vp_store_part(y + 2 * i + 2 * VEC, vp_zip_high(even, odd), 2 * (left - VEC));
}
