// SPDX-License-Identifier: Apache-2.0
// Winograd's transforms of f32 for AVX2 and FMA.
#include "backend/cpu/x86/simd_avx2.h"
#include "backend/cpu/finish_rows.h"

#define ROW ferry_winograd_f32__avx2
#define ISA_NAME "avx2"
#define ISA_BITS FERRY_ISA_AVX2
#include "backend/cpu/winograd_tile.h"
