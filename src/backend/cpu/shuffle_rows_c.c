// SPDX-License-Identifier: Apache-2.0
// Interleaved rows in plain C.
#define ROW ferry_shuffle__c
#define ISA "c", FERRY_ISA_NONE
#include "backend/cpu/shuffle_rows.h"
