// SPDX-License-Identifier: Apache-2.0
// The final rounding of docs/INT8.md in a form that compilers make vectors of.
#ifndef FERRY_SRC_BACKEND_CPU_ROUND_S8_H_
#define FERRY_SRC_BACKEND_CPU_ROUND_S8_H_

#include <stdint.h>
#include <string.h>

/// Rounded half to even; |t| <= 2^22. Adding 1.5 * 2^23 rounds in the default mode, and leaves the integer in the low
/// bits.
static inline __attribute__((always_inline)) int32_t round_small(float t)
{
    const float shifted = t + 12582912.0f;
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    return bits - 0x4b400000;
}

/// Rounded half to even, within -bound and bound (at most 2^22); NaN becomes 0.
static inline __attribute__((always_inline)) int32_t round_within(float t, float bound)
{
    t = t == t ? t : 0.0f;
    t = t > -bound ? t : -bound;
    t = t < bound ? t : bound;
    return round_small(t);
}

/// As ferry_sat8.
static inline __attribute__((always_inline)) int8_t round_s8(float t)
{
    return (int8_t)round_within(t < 127.0f ? t : t == t ? 127.0f : 0.0f, 128.0f);
}

#endif // FERRY_SRC_BACKEND_CPU_ROUND_S8_H_
