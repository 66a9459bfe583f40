// SPDX-License-Identifier: Apache-2.0
// The maximum over windows of bf16 in plain C.
#include <math.h>

#include "backend/cpu/simd_c.h"
#include "backend/cpu/simd_bf16_c.h"

#define KERNEL ferry_pool_max_bf16__c
#include "backend/cpu/pool_max_bf16_strip.h"
