// SPDX-License-Identifier: Apache-2.0
// Tiles of float matrix products over lines of a picture, for NEON.
#include "backend/cpu/arm/simd_neon.h"

#define MR 8
#define NV 2
#define KERNEL ferry_gemm_lines_f32_8x8__neon
#define LINES
#include "backend/cpu/gemm_f32_tile.h"
