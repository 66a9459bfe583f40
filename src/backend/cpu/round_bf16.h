// SPDX-License-Identifier: Apache-2.0
// From float to bf16 without a branch, for loops that compilers are to make vectors of.
#ifndef FERRY_SRC_BACKEND_CPU_ROUND_BF16_H_
#define FERRY_SRC_BACKEND_CPU_ROUND_BF16_H_

#include "base/f16.h"

/// As ferry_bf16_from_f32.
static inline uint16_t round_bf16(float x)
{
    const uint32_t bits = ferry_f32_bits(x), even = bits + 0x7fffu + (bits >> 16 & 1u), quiet = bits | 0x400000u;
    return (uint16_t)((x != x ? quiet : even) >> 16);
}

#endif // FERRY_SRC_BACKEND_CPU_ROUND_BF16_H_
