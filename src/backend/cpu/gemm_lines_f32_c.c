// SPDX-License-Identifier: Apache-2.0
// Tiles of float matrix products over lines of a picture, in plain C.
#include "backend/cpu/simd_c.h"

#define MR 4
#define NV 2
#define KERNEL ferry_gemm_lines_f32_4x8__c
#define LINES
#include "backend/cpu/gemm_f32_tile.h"
