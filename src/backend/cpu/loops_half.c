// SPDX-License-Identifier: Apache-2.0
// The table of loops over 16-bit floats by instruction set.
#include "backend/cpu/loops_half.h"

#include "backend/cpu/isa.h"
#include "base/size.h"

#define CONVERSIONS(type, suffix)                                                                                      \
    void ferry_widen_##type##__##suffix(const uint16_t *x, float *y, size_t n);                                        \
    void ferry_narrow_##type##__##suffix(const float *x, uint16_t *y, size_t n);

#define ROW(isa, suffix)                                                                                               \
    CONVERSIONS(bf16, suffix)                                                                                          \
    extern const ferry_binary_bf16_loop ferry_binary_bf16__##suffix[FERRY_BINARY_F32_COUNT];
#include "backend/cpu/basic_rows.inc"
CONVERSIONS(f16, c)
#ifdef FERRY_HAVE_NEON
CONVERSIONS(f16, neon)
#endif

static const ferry_loops_half_row rows[] = {
#define ROW(isa, suffix)                                                                                               \
    {#suffix, FERRY_BF16, isa, ferry_widen_bf16__##suffix, ferry_narrow_bf16__##suffix, ferry_binary_bf16__##suffix},
#include "backend/cpu/basic_rows.inc"
    {"c", FERRY_F16, FERRY_ISA_NONE, ferry_widen_f16__c, ferry_narrow_f16__c, NULL},
#ifdef FERRY_HAVE_NEON
    {"neon", FERRY_F16, FERRY_ISA_NEON, ferry_widen_f16__neon, ferry_narrow_f16__neon, NULL},
#endif
};

const ferry_loops_half_row *ferry_loops_half_at(size_t index)
{
    return index < FERRY_COUNT_OF(rows) ? &rows[index] : NULL;
}

const ferry_loops_half_row *ferry_loops_half_pick(uint32_t isa, ferry_dtype dtype)
{
    const ferry_loops_half_row *best = NULL;
    for (size_t i = 0; i < FERRY_COUNT_OF(rows); i++)
        if (rows[i].dtype == dtype && (rows[i].isa & ~isa) == 0) best = &rows[i];
    return best;
}
