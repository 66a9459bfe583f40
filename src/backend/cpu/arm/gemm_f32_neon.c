// SPDX-License-Identifier: Apache-2.0
// Tiles of float matrix products for NEON. Wider ones make gcc 12 keep sums on the stack.
#include "backend/cpu/arm/simd_neon.h"

#define MR 8
#define NV 2
#define KERNEL ferry_gemm_f32_8x8__neon
#include "backend/cpu/gemm_f32_tile.h"
