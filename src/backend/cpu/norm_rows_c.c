// SPDX-License-Identifier: Apache-2.0
// Layer normalisation for plain C.
#include "backend/cpu/simd_c.h"

#define ROW ferry_norm__c
#define ISA "c", FERRY_ISA_NONE
#include "backend/cpu/norm_loop.h"
