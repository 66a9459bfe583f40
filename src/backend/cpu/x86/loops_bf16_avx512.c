// SPDX-License-Identifier: Apache-2.0
// Loops over bf16 for AVX-512.
#define ROW avx512
#include "backend/cpu/loops_bf16_rows.h"
