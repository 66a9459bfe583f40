// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/pool_max_bf16.h"

#include "backend/cpu/isa.h"
#include "base/size.h"

#define ROW(isa, vec, suffix)                                                                                          \
    void ferry_pool_max_bf16__##suffix(const ferry_pool_window *, const uint16_t *, uint16_t *);
#include "backend/cpu/bf16_rows.inc"

static const struct {
    uint32_t isa;
    ferry_pool_bf16 run;
} rows[] = {
#define ROW(isa, vec, suffix) {isa, ferry_pool_max_bf16__##suffix},
#include "backend/cpu/bf16_rows.inc"
};

ferry_pool_bf16 ferry_pool_max_bf16_pick(uint32_t isa)
{
    size_t best = 0;
    for (size_t i = 0; i < FERRY_COUNT_OF(rows); i++)
        if ((rows[i].isa & ~isa) == 0) best = i;
    return rows[best].isa == FERRY_ISA_NONE && isa != FERRY_ISA_NONE ? NULL : rows[best].run;
}
