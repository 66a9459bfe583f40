// SPDX-License-Identifier: Apache-2.0
// Loops of linear interpolation for plain C.
#define ROW ferry_resize__c
#define ISA "c", FERRY_ISA_NONE
#include "backend/cpu/resize_rows.h"
