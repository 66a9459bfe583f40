// SPDX-License-Identifier: Apache-2.0
// Interleaved rows for AVX-512.
#define ROW ferry_shuffle__avx512
#define ISA "avx512", FERRY_ISA_AVX512
#include "backend/cpu/shuffle_rows.h"
