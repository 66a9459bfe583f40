// SPDX-License-Identifier: Apache-2.0
// Loops over lines for plain C.
#include "backend/cpu/simd_c.h"

#define MADD(a, b, c) ((a) * (b) + (c))
#define ROW ferry_lines__c
#define ISA "c", FERRY_ISA_NONE
#include "backend/cpu/lines_rows.h"
