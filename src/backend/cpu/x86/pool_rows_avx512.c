// SPDX-License-Identifier: Apache-2.0
// Pooling loops for AVX-512.
#define ROW avx512
#include "backend/cpu/pool_rows.h"
