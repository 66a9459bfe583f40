// SPDX-License-Identifier: Apache-2.0
// Strips of depthwise convolutions in float for AVX-512.
#include "backend/cpu/x86/simd_avx512.h"

#define MOST 8
#define KERNEL ferry_depthwise_f32__avx512
#include "backend/cpu/depthwise_f32_strip.h"
