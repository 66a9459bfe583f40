// SPDX-License-Identifier: Apache-2.0
// Loops over lines for AVX2 and FMA.
#include "backend/cpu/x86/simd_avx2.h"

#define MADD(a, b, c) fmaf((a), (b), (c))
#define ROW ferry_lines__avx2
#define ISA "avx2", FERRY_ISA_AVX2
#include "backend/cpu/lines_rows.h"
