// SPDX-License-Identifier: Apache-2.0
// Winograd's transforms of bf16 in plain C.
#include "backend/cpu/simd_c.h"
#include "backend/cpu/simd_bf16_c.h"
#include "backend/cpu/finish_rows_bf16.h"

#define BF16
#define ROW ferry_winograd_bf16__c
#define ISA_NAME "c"
#define ISA_BITS FERRY_ISA_NONE
#include "backend/cpu/winograd_tile.h"
