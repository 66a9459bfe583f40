// SPDX-License-Identifier: Apache-2.0
// Lines of float depthwise convolutions in plain C.
#include "backend/cpu/simd_c.h"

#define KERNEL ferry_depthwise_line_f32__c
#include "backend/cpu/depthwise_line_f32_rows.h"
