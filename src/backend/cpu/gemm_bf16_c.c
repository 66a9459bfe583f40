// SPDX-License-Identifier: Apache-2.0
// Tiles of bf16 matrix products in plain C.
#include "backend/cpu/simd_c.h"
#include "backend/cpu/simd_bf16_c.h"

#define MR 4
#define NV 2
#define KERNEL ferry_gemm_bf16_4x8__c
#include "backend/cpu/gemm_bf16_tile.h"
