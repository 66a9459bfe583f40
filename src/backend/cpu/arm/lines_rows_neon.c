// SPDX-License-Identifier: Apache-2.0
// Loops over lines for NEON.
#include "backend/cpu/arm/simd_neon.h"

#define MADD(a, b, c) fmaf((a), (b), (c))
#define ROW ferry_lines__neon
#define ISA "neon", FERRY_ISA_NEON
#include "backend/cpu/lines_rows.h"
