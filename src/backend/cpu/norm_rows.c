// SPDX-License-Identifier: Apache-2.0
// The table of layer normalisations by instruction set, and the way through double that they share.
#include "backend/cpu/norm_rows.h"

#include <math.h>

#include "backend/cpu/isa.h"
#include "base/f16.h"
#include "base/size.h"

#define ROW(isa, suffix) extern const ferry_norm_row ferry_norm__##suffix;
#include "backend/cpu/near_rows.inc"

static const ferry_norm_row *const rows[] = {
#define ROW(isa, suffix) &ferry_norm__##suffix,
#include "backend/cpu/near_rows.inc"
};

const ferry_norm_row *ferry_norm_pick(uint32_t isa)
{
    const ferry_norm_row *best = NULL;
    for (size_t i = 0; i < FERRY_COUNT_OF(rows); i++)
        if ((rows[i]->isa & ~isa) == 0) best = rows[i];
    return best;
}

// Both ways of storing elements, by ways to load and to round one.
#define IN_DOUBLE(name, type, load, round)                                                                             \
    void name(const ferry_norm *norm, const type *x, type *y)                                                          \
    {                                                                                                                  \
        double mean = 0, variance = 0;                                                                                 \
        for (size_t i = 0; i < norm->n; i++) mean += (double)load(x[i]);                                               \
        mean /= (double)norm->n;                                                                                       \
        for (size_t i = 0; i < norm->n; i++) variance += ((double)load(x[i]) - mean) * ((double)load(x[i]) - mean);    \
        const double inverse = 1 / sqrt(variance / (double)norm->n + norm->epsilon);                                   \
        for (size_t i = 0; i < norm->n; i++) {                                                                         \
            const float t = (float)(((double)load(x[i]) - mean) * inverse) * norm->scale[i];                           \
            y[i] = round(norm->bias ? t + norm->bias[i] : t);                                                          \
        }                                                                                                              \
    }
#define SAME(x) (x)
IN_DOUBLE(ferry_norm_in_double, float, SAME, SAME)
IN_DOUBLE(ferry_norm_bf16_in_double, uint16_t, ferry_f32_from_bf16, ferry_bf16_from_f32)
