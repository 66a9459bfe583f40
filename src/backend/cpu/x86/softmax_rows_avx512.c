// SPDX-License-Identifier: Apache-2.0
// Softmax of rows for AVX-512.
#include "backend/cpu/x86/simd_avx512.h"
#include "backend/cpu/x86/simd_bf16_avx512.h"

#define ROW ferry_softmax__avx512
#define ISA "avx512", FERRY_ISA_AVX512
#define NARROW
#include "backend/cpu/softmax_loop.h"
