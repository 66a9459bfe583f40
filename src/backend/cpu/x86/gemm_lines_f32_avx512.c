// SPDX-License-Identifier: Apache-2.0
// Tiles of float matrix products over lines of a picture, for AVX-512.
#include "backend/cpu/x86/simd_avx512.h"

#define MR 12
#define NV 2
#define KERNEL ferry_gemm_lines_f32_12x32__avx512
#define LINES
#include "backend/cpu/gemm_f32_tile.h"
