// SPDX-License-Identifier: Apache-2.0
// Lines of float depthwise convolutions for AVX2 and FMA.
#include "backend/cpu/x86/simd_avx2.h"

#define KERNEL ferry_depthwise_line_f32__avx2
#include "backend/cpu/depthwise_line_f32_rows.h"
