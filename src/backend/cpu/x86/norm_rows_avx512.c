// SPDX-License-Identifier: Apache-2.0
// Layer normalisation for AVX-512.
#include "backend/cpu/x86/simd_avx512.h"

#define ROW ferry_norm__avx512
#define ISA "avx512", FERRY_ISA_AVX512
#include "backend/cpu/norm_loop.h"
