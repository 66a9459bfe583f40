// SPDX-License-Identifier: Apache-2.0
// Elementwise loops over floats for NEON.
#include "backend/cpu/arm/simd_neon.h"

#define MADD(a, b, c) fmaf(a, b, c)
#define ROW neon
#include "backend/cpu/elementwise_f32_loops.h"
