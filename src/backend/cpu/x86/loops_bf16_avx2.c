// SPDX-License-Identifier: Apache-2.0
// Loops over bf16 for AVX2.
#define ROW avx2
#include "backend/cpu/loops_bf16_rows.h"
