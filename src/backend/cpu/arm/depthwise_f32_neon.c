// SPDX-License-Identifier: Apache-2.0
// Strips of depthwise convolutions in float for NEON.
#include "backend/cpu/arm/simd_neon.h"

#define MOST 4
#define KERNEL ferry_depthwise_f32__neon
#include "backend/cpu/depthwise_f32_strip.h"
