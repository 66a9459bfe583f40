// SPDX-License-Identifier: Apache-2.0
// Strips of depthwise convolutions of bf16 for AVX512-BF16.
#include "backend/cpu/x86/simd_avx512.h"
#include "backend/cpu/x86/simd_bf16_avx512.h"

#define MOST 8
#define KERNEL ferry_depthwise_bf16__avx512bf16
#include "backend/cpu/depthwise_bf16_strip.h"
