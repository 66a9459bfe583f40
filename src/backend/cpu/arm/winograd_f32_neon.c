// SPDX-License-Identifier: Apache-2.0
// Winograd's transforms of f32 for NEON.
#include "backend/cpu/arm/simd_neon.h"
#include "backend/cpu/finish_rows.h"

#define ROW ferry_winograd_f32__neon
#define ISA_NAME "neon"
#define ISA_BITS FERRY_ISA_NEON
#include "backend/cpu/winograd_tile.h"
