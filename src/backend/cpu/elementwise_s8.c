// SPDX-License-Identifier: Apache-2.0
// The table of INT8 loops by instruction set.
#include "backend/cpu/elementwise_s8.h"

#include "backend/cpu/isa.h"
#include "base/size.h"

#define ROW(isa, suffix) extern const ferry_elementwise_s8_row ferry_elementwise_s8__##suffix;
#include "backend/cpu/elementwise_s8.inc"

static const ferry_elementwise_s8_row *const rows[] = {
#define ROW(isa, suffix) &ferry_elementwise_s8__##suffix,
#include "backend/cpu/elementwise_s8.inc"
};

const ferry_elementwise_s8_row *ferry_elementwise_s8_at(size_t index)
{
    return index < FERRY_COUNT_OF(rows) ? rows[index] : NULL;
}

const ferry_elementwise_s8_row *ferry_elementwise_s8_pick(uint32_t isa)
{
    const ferry_elementwise_s8_row *best = NULL;
    for (size_t i = 0; i < FERRY_COUNT_OF(rows); i++)
        if ((rows[i]->isa & ~isa) == 0) best = rows[i];
    return best;
}
