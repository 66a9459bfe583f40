// SPDX-License-Identifier: Apache-2.0
// Half floats one at a time, in portable C: what the vector kernels are tested against. Round to nearest even; NaN
// stays NaN.
#ifndef FERRY_SRC_BASE_F16_H_
#define FERRY_SRC_BASE_F16_H_

#include <stdint.h>
#include <string.h>

static inline uint32_t ferry_f32_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float ferry_f32_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float ferry_f32_from_f16(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    const uint32_t exponent = (half >> 10) & 31u, fraction = half & 0x3ffu;
    if (exponent == 31) return ferry_f32_from_bits(sign | 0x7f800000u | (fraction ? 0x400000u | fraction << 13 : 0));
    if (exponent == 0) {
        // fraction * 2^-24 is exact, for zero too
        const float value = (float)fraction * 0x1p-24f;
        return sign ? -value : value;
    }
    return ferry_f32_from_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

static inline uint16_t ferry_f16_from_f32(float value)
{
    const uint32_t bits = ferry_f32_bits(value);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    const uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return (uint16_t)(sign | 0x7e00u | (magnitude >> 13 & 0x1ffu)); // quiet NaN
    if (magnitude >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); // 65520 and more round to infinity
    if (magnitude < 0x33000001u) return sign;                        // 2^-25 and less round to zero
    const uint32_t exponent = magnitude >> 23;
    // Subnormal halves keep fewer bits: the shift grows, and the leading one becomes explicit.
    const uint32_t shift = exponent < 113 ? 13 + (113 - exponent) : 13;
    const uint32_t from = exponent < 113 ? (magnitude & 0x7fffffu) | 0x800000u : magnitude - (112u << 23);
    const uint32_t half = from >> shift;
    const uint32_t rest = from & ((1u << shift) - 1), middle = 1u << (shift - 1);
    return (uint16_t)(sign | (half + (rest > middle || (rest == middle && (half & 1)))));
}

static inline float ferry_f32_from_bf16(uint16_t brain)
{
    return ferry_f32_from_bits((uint32_t)brain << 16);
}

static inline uint16_t ferry_bf16_from_f32(float value)
{
    const uint32_t bits = ferry_f32_bits(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(bits >> 16 | 0x40u); // quiet NaN
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

#endif // FERRY_SRC_BASE_F16_H_
