// SPDX-License-Identifier: Apache-2.0
// Tiles of bf16 matrix products for AVX-512 without instructions for bf16: widened in registers, half the memory moved.
#include "backend/cpu/x86/simd_avx512.h"
#include "backend/cpu/x86/simd_bf16_avx512.h"

#define MR 12
#define NV 2
#define KERNEL ferry_gemm_bf16_12x32__avx512
#include "backend/cpu/gemm_bf16_tile.h"
