// SPDX-License-Identifier: Apache-2.0
// Winograd's transforms in plain C.
#include "backend/cpu/simd_c.h"

#define ROW ferry_winograd_f32__c
#define ISA_NAME "c"
#define ISA_BITS FERRY_ISA_NONE
#include "backend/cpu/winograd_f32_tile.h"
