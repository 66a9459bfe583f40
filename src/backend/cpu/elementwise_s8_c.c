// SPDX-License-Identifier: Apache-2.0
// Loops over INT8 elements for plain C.
#define FERRY_FUSED_C // docs/INT8.md rounds multiply-adds once, at any price
#include "backend/cpu/simd_c.h"

#define ROW ferry_elementwise_s8__c
#define ISA "c", FERRY_ISA_NONE
#include "backend/cpu/elementwise_s8_loops.h"
