// SPDX-License-Identifier: Apache-2.0
// The table of softmax loops by instruction set.
#include "backend/cpu/softmax_rows.h"

#include "backend/cpu/isa.h"
#include "base/size.h"

#define ROW(isa, suffix) extern const ferry_softmax_row ferry_softmax__##suffix;
#include "backend/cpu/near_rows.inc"

static const ferry_softmax_row *const rows[] = {
#define ROW(isa, suffix) &ferry_softmax__##suffix,
#include "backend/cpu/near_rows.inc"
};

const ferry_softmax_row *ferry_softmax_at(size_t index)
{
    return index < FERRY_COUNT_OF(rows) ? rows[index] : NULL;
}

const ferry_softmax_row *ferry_softmax_pick(uint32_t isa)
{
    const ferry_softmax_row *best = NULL;
    for (size_t i = 0; i < FERRY_COUNT_OF(rows); i++)
        if ((rows[i]->isa & ~isa) == 0) best = rows[i];
    return best;
}
