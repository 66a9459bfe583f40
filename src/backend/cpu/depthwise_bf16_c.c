// SPDX-License-Identifier: Apache-2.0
// Strips of depthwise convolutions of bf16 in plain C.
#include "backend/cpu/simd_c.h"
#include "backend/cpu/simd_bf16_c.h"

#define MOST 4
#define KERNEL ferry_depthwise_bf16__c
#include "backend/cpu/depthwise_bf16_strip.h"
