// SPDX-License-Identifier: Apache-2.0
// Winograd's transforms of bf16 for AVX-512.
#include "backend/cpu/x86/simd_avx512.h"
#include "backend/cpu/x86/simd_bf16_avx512.h"
#include "backend/cpu/finish_rows_bf16.h"

#define BF16
#define ROW ferry_winograd_bf16__avx512
#define ISA_NAME "avx512"
#define ISA_BITS FERRY_ISA_AVX512
#include "backend/cpu/winograd_tile.h"
