// SPDX-License-Identifier: Apache-2.0
// Depthwise convolutions of bf16 by pairs of lines, for AVX512-BF16.
#include "backend/cpu/x86/simd_avx512.h"
#include "backend/cpu/x86/simd_bf16_avx512.h"

#define BLOCKS
#define KERNEL ferry_depthwise_pairs_bf16__avx512bf16
#define PAIR ferry_depthwise_pairing_bf16__avx512bf16
#include "backend/cpu/depthwise_pairs_bf16_rows.h"
