// SPDX-License-Identifier: Apache-2.0
// Strips of depthwise convolutions in float for AVX2 and FMA.
#include "backend/cpu/x86/simd_avx2.h"

#define MOST 4
#define KERNEL ferry_depthwise_f32__avx2
#include "backend/cpu/depthwise_f32_strip.h"
