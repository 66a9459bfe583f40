// SPDX-License-Identifier: Apache-2.0
// Elementwise loops over floats for AVX2 and FMA.
#include "backend/cpu/x86/simd_avx2.h"

#define MADD(a, b, c) fmaf(a, b, c)
#define ROW avx2
#include "backend/cpu/elementwise_f32_loops.h"
