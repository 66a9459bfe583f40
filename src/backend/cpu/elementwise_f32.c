// SPDX-License-Identifier: Apache-2.0
// The table of elementwise loops by instruction set.
#include "backend/cpu/elementwise_f32.h"

#include "backend/cpu/isa.h"
#include "base/size.h"

#define ROW(isa, suffix)                                                                                               \
    extern const ferry_unary_f32_loop ferry_unary_f32__##suffix[FERRY_UNARY_F32_COUNT];                                \
    extern const ferry_binary_f32_loop ferry_binary_f32__##suffix[FERRY_BINARY_F32_COUNT];
#include "backend/cpu/basic_rows.inc"

static const ferry_elementwise_f32_row rows[] = {
#define ROW(isa, suffix) {#suffix, isa, ferry_unary_f32__##suffix, ferry_binary_f32__##suffix},
#include "backend/cpu/basic_rows.inc"
};

const ferry_elementwise_f32_row *ferry_elementwise_f32_at(size_t index)
{
    return index < FERRY_COUNT_OF(rows) ? &rows[index] : NULL;
}

const ferry_elementwise_f32_row *ferry_elementwise_f32_pick(uint32_t isa)
{
    const ferry_elementwise_f32_row *best = NULL;
    for (size_t i = 0; i < FERRY_COUNT_OF(rows); i++)
        if ((rows[i].isa & ~isa) == 0) best = &rows[i];
    return best;
}
