// SPDX-License-Identifier: Apache-2.0
// Conversions of f16 in plain C.
#include "backend/cpu/loops_half.h"
#include "base/f16.h"

void ferry_widen_f16__c(const uint16_t *x, float *y, size_t n);
void ferry_widen_f16__c(const uint16_t *x, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = ferry_f32_from_f16(x[i]);
}

void ferry_narrow_f16__c(const float *x, uint16_t *y, size_t n);
void ferry_narrow_f16__c(const float *x, uint16_t *y, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = ferry_f16_from_f32(x[i]);
}
