// SPDX-License-Identifier: Apache-2.0
// Winograd's transforms of f32 in plain C.
#include "backend/cpu/simd_c.h"
#include "backend/cpu/finish_rows.h"

#define ROW ferry_winograd_f32__c
#define ISA_NAME "c"
#define ISA_BITS FERRY_ISA_NONE
#include "backend/cpu/winograd_tile.h"
