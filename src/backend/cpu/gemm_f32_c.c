// SPDX-License-Identifier: Apache-2.0
// Tiles of float matrix products in plain C.
#include "backend/cpu/simd_c.h"

#define MR 4
#define NV 2
#define KERNEL ferry_gemm_f32_4x8__c
#include "backend/cpu/gemm_f32_tile.h"
