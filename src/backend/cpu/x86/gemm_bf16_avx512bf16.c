// SPDX-License-Identifier: Apache-2.0
// Tiles of bf16 matrix products for AVX512-BF16: two products a lane and instruction. 28 sums, the weights of a pair
// and a row's pair fill the registers.
#include "backend/cpu/x86/simd_avx512.h"
#include "backend/cpu/x86/simd_bf16_avx512.h"

#define MR 14
#define NV 2
#define KERNEL ferry_gemm_bf16_14x32__avx512bf16
#include "backend/cpu/gemm_bf16_tile.h"
