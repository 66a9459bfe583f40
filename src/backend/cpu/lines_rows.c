// SPDX-License-Identifier: Apache-2.0
// The table of loops over lines by instruction set.
#include "backend/cpu/isa.h"
#include "backend/cpu/lines.h"
#include "base/size.h"

#define ROW(isa, suffix) extern const ferry_lines_row ferry_lines__##suffix;
#include "backend/cpu/basic_rows.inc"

static const ferry_lines_row *const rows[] = {
#define ROW(isa, suffix) &ferry_lines__##suffix,
#include "backend/cpu/basic_rows.inc"
};

const ferry_lines_row *ferry_lines_at(size_t index)
{
    return index < FERRY_COUNT_OF(rows) ? rows[index] : NULL;
}

const ferry_lines_row *ferry_lines_pick(uint32_t isa)
{
    const ferry_lines_row *best = NULL;
    for (size_t i = 0; i < FERRY_COUNT_OF(rows); i++)
        if ((rows[i]->isa & ~isa) == 0) best = rows[i];
    return best;
}
