// SPDX-License-Identifier: Apache-2.0
// Lines of float depthwise convolutions for AVX-512.
#include "backend/cpu/x86/simd_avx512.h"

#define KERNEL ferry_depthwise_line_f32__avx512
#include "backend/cpu/depthwise_line_f32_rows.h"
