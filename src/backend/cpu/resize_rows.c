// SPDX-License-Identifier: Apache-2.0
// The table of interpolating loops by instruction set.
#include "backend/cpu/isa.h"
#include "backend/cpu/resize_loops.h"
#include "base/size.h"

#define ROW(isa, suffix) extern const ferry_resize_row ferry_resize__##suffix;
#include "backend/cpu/basic_rows.inc"

static const ferry_resize_row *const rows[] = {
#define ROW(isa, suffix) &ferry_resize__##suffix,
#include "backend/cpu/basic_rows.inc"
};

const ferry_resize_row *ferry_resize_at(size_t index)
{
    return index < FERRY_COUNT_OF(rows) ? rows[index] : NULL;
}

const ferry_resize_row *ferry_resize_pick(uint32_t isa)
{
    const ferry_resize_row *best = NULL;
    for (size_t i = 0; i < FERRY_COUNT_OF(rows); i++)
        if ((rows[i]->isa & ~isa) == 0) best = rows[i];
    return best;
}
