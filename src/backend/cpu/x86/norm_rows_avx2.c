// SPDX-License-Identifier: Apache-2.0
// Layer normalisation for AVX2 and FMA.
#include "backend/cpu/x86/simd_avx2.h"

#define ROW ferry_norm__avx2
#define ISA "avx2", FERRY_ISA_AVX2
#include "backend/cpu/norm_loop.h"
