// SPDX-License-Identifier: Apache-2.0
// Lines of float depthwise convolutions for NEON.
#include "backend/cpu/arm/simd_neon.h"

#define KERNEL ferry_depthwise_line_f32__neon
#include "backend/cpu/depthwise_line_f32_rows.h"
