// SPDX-License-Identifier: Apache-2.0
// Loops of linear interpolation for AVX2 and FMA.
#define ROW ferry_resize__avx2
#define ISA "avx2", FERRY_ISA_AVX2
#include "backend/cpu/resize_rows.h"
