// SPDX-License-Identifier: Apache-2.0
// Layer normalisation for AVX512-BF16.
#include "backend/cpu/x86/simd_avx512.h"
#include "backend/cpu/x86/simd_bf16_avx512.h"

#define ROW ferry_norm__avx512bf16
#define ISA "avx512bf16", FERRY_ISA_AVX512BF16
#define NARROW
#include "backend/cpu/norm_loop.h"
