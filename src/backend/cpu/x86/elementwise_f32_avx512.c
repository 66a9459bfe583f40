// SPDX-License-Identifier: Apache-2.0
// Elementwise loops over floats for AVX-512.
#include "backend/cpu/x86/simd_avx512.h"

#define MADD(a, b, c) fmaf(a, b, c)
#define ROW avx512
#include "backend/cpu/elementwise_f32_loops.h"
