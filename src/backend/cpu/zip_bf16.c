// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/zip_bf16.h"

#include "backend/cpu/isa.h"
#include "base/size.h"

#define ROW(isa, vec, suffix)                                                                                          \
    void ferry_zip_bf16__##suffix(const uint16_t *a, const uint16_t *b, uint16_t *y, size_t n);                        \
    void ferry_zip_f32__##suffix(const float *a, const float *b, uint16_t *y, size_t n);
#include "backend/cpu/bf16_rows.inc"

static const ferry_zip_bf16_row rows[] = {
#define ROW(isa, vec, suffix) {isa, ferry_zip_bf16__##suffix, ferry_zip_f32__##suffix},
#include "backend/cpu/bf16_rows.inc"
};

const ferry_zip_bf16_row *ferry_zip_bf16_pick(uint32_t isa)
{
    const ferry_zip_bf16_row *best = NULL;
    for (size_t i = 0; i < FERRY_COUNT_OF(rows); i++)
        if ((rows[i].isa & ~isa) == 0) best = &rows[i];
    return best;
}
