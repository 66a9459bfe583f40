// SPDX-License-Identifier: Apache-2.0
// Interleaved rows for AVX2.
#define ROW ferry_shuffle__avx2
#define ISA "avx2", FERRY_ISA_AVX2
#include "backend/cpu/shuffle_rows.h"
