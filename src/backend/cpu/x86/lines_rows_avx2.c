// SPDX-License-Identifier: Apache-2.0
// Loops over lines for AVX2 and FMA.
#define MADD(a, b, c) fmaf((a), (b), (c))
#define ROW ferry_lines__avx2
#define ISA "avx2", FERRY_ISA_AVX2
#include "backend/cpu/lines_rows.h"
