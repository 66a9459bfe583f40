// SPDX-License-Identifier: Apache-2.0
// Loops of linear interpolation for AVX-512.
#define ROW ferry_resize__avx512
#define ISA "avx512", FERRY_ISA_AVX512
#include "backend/cpu/resize_rows.h"
