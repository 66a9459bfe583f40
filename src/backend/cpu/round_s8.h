// SPDX-License-Identifier: Apache-2.0
// The final rounding of docs/INT8.md in a form that compilers make vectors of.
#ifndef FERRY_SRC_BACKEND_CPU_ROUND_S8_H_
#define FERRY_SRC_BACKEND_CPU_ROUND_S8_H_

#include <stdint.h>
#include <string.h>

/// As ferry_sat8: NaN becomes 0, clamped, then rounded half to even. Adding 1.5 * 2^23 rounds in the default mode, and
/// leaves the integer in the low bits.
static inline __attribute__((always_inline)) int8_t round_s8(float t)
{
    t = t == t ? t : 0.0f;
    t = t > -128.0f ? t : -128.0f;
    t = t < 127.0f ? t : 127.0f;
    const float shifted = t + 12582912.0f;
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    return (int8_t)(bits - 0x4b400000);
}

#endif // FERRY_SRC_BACKEND_CPU_ROUND_S8_H_
