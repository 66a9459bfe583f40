// SPDX-License-Identifier: Apache-2.0
// Tiles of float matrix products over lines of a picture, for AVX2 and FMA.
#include "backend/cpu/x86/simd_avx2.h"

#define MR 6
#define NV 2
#define KERNEL ferry_gemm_lines_f32_6x16__avx2
#define LINES
#include "backend/cpu/gemm_f32_tile.h"
