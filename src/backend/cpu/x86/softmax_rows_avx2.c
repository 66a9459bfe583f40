// SPDX-License-Identifier: Apache-2.0
// Softmax of rows for AVX2 and FMA.
#include "backend/cpu/x86/simd_avx2.h"

#define ROW ferry_softmax__avx2
#define ISA "avx2", FERRY_ISA_AVX2
#include "backend/cpu/softmax_loop.h"
