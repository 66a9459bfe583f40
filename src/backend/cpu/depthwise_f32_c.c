// SPDX-License-Identifier: Apache-2.0
// Strips of depthwise convolutions in float in plain C.
#include "backend/cpu/simd_c.h"

#define MOST 4
#define KERNEL ferry_depthwise_f32__c
#include "backend/cpu/depthwise_f32_strip.h"
