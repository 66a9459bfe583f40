// SPDX-License-Identifier: Apache-2.0
// Loops over lines for AVX-512.
#include "backend/cpu/x86/simd_avx512.h"

#define MADD(a, b, c) fmaf((a), (b), (c))
#define ROW ferry_lines__avx512
#define ISA "avx512", FERRY_ISA_AVX512
#include "backend/cpu/lines_rows.h"
