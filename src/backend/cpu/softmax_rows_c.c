// SPDX-License-Identifier: Apache-2.0
// Softmax of rows for plain C.
#include "backend/cpu/simd_c.h"
#include "backend/cpu/simd_bf16_c.h"

#define ROW ferry_softmax__c
#define ISA "c", FERRY_ISA_NONE
#define NARROW
#include "backend/cpu/softmax_loop.h"
