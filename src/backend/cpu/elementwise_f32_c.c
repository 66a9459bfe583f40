// SPDX-License-Identifier: Apache-2.0
// Elementwise loops over floats in plain C.
#include "backend/cpu/simd_c.h"

#define MADD(a, b, c) ((a) * (b) + (c)) // fmaf without the instruction is a slow call
#define ROW c
#include "backend/cpu/elementwise_f32_loops.h"
