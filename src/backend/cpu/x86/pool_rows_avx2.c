// SPDX-License-Identifier: Apache-2.0
// Pooling loops for AVX2.
#define ROW avx2
#include "backend/cpu/pool_rows.h"
