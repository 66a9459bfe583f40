// SPDX-License-Identifier: Apache-2.0
// The table of loops over bf16 by instruction set.
#include "backend/cpu/loops_bf16.h"

#include "backend/cpu/isa.h"
#include "base/size.h"

#define ROW(isa, suffix)                                                                                               \
    void ferry_widen_bf16__##suffix(const uint16_t *x, float *y, size_t n);                                            \
    void ferry_narrow_bf16__##suffix(const float *x, uint16_t *y, size_t n);                                           \
    extern const ferry_binary_bf16_loop ferry_binary_bf16__##suffix[FERRY_BINARY_F32_COUNT];
#include "backend/cpu/basic_rows.inc"

static const ferry_loops_bf16_row rows[] = {
#define ROW(isa, suffix)                                                                                               \
    {#suffix, isa, ferry_widen_bf16__##suffix, ferry_narrow_bf16__##suffix, ferry_binary_bf16__##suffix},
#include "backend/cpu/basic_rows.inc"
};

const ferry_loops_bf16_row *ferry_loops_bf16_at(size_t index)
{
    return index < FERRY_COUNT_OF(rows) ? &rows[index] : NULL;
}

const ferry_loops_bf16_row *ferry_loops_bf16_pick(uint32_t isa)
{
    const ferry_loops_bf16_row *best = NULL;
    for (size_t i = 0; i < FERRY_COUNT_OF(rows); i++)
        if ((rows[i].isa & ~isa) == 0) best = &rows[i];
    return best;
}
