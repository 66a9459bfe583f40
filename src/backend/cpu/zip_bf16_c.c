// SPDX-License-Identifier: Apache-2.0
// Two lines into one of pairs, in plain C.
#include "backend/cpu/simd_c.h"
#include "backend/cpu/simd_bf16_c.h"

#define ZIP_BF16 ferry_zip_bf16__c
#define ZIP_F32 ferry_zip_f32__c
#include "backend/cpu/zip_bf16_rows.h"
