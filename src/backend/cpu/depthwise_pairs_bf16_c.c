// SPDX-License-Identifier: Apache-2.0
// Depthwise convolutions of bf16 by pairs of lines, in plain C.
#include "backend/cpu/simd_c.h"
#include "backend/cpu/simd_bf16_c.h"

#define KERNEL ferry_depthwise_pairs_bf16__c
#define PAIR ferry_depthwise_pairing_bf16__c
#include "backend/cpu/depthwise_pairs_bf16_rows.h"
