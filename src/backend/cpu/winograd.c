// SPDX-License-Identifier: Apache-2.0
// The table of Winograd's transforms by instruction set, and the transform of filters, which is done once, at build.
#include "backend/cpu/winograd.h"

#include "backend/cpu/isa.h"
#include "base/size.h"

#define ROW(isa, suffix) extern const ferry_winograd_row ferry_winograd_f32__##suffix;
#include "backend/cpu/basic_rows.inc"
#define ROW(isa, vec, suffix) extern const ferry_winograd_row ferry_winograd_bf16__##suffix;
#include "backend/cpu/bf16_rows.inc"

static const ferry_winograd_row *const rows_f32[] = {
#define ROW(isa, suffix) &ferry_winograd_f32__##suffix,
#include "backend/cpu/basic_rows.inc"
};
static const ferry_winograd_row *const rows_bf16[] = {
#define ROW(isa, vec, suffix) &ferry_winograd_bf16__##suffix,
#include "backend/cpu/bf16_rows.inc"
};

static const ferry_winograd_row *newest(const ferry_winograd_row *const *rows, size_t count, uint32_t isa)
{
    const ferry_winograd_row *best = NULL;
    for (size_t i = 0; i < count; i++)
        if ((rows[i]->isa & ~isa) == 0) best = rows[i];
    return best;
}

const ferry_winograd_row *ferry_winograd_f32_pick(uint32_t isa)
{
    return newest(rows_f32, FERRY_COUNT_OF(rows_f32), isa);
}

const ferry_winograd_row *ferry_winograd_bf16_pick(uint32_t isa)
{
    const ferry_winograd_row *best = newest(rows_bf16, FERRY_COUNT_OF(rows_bf16), isa);
    return best->isa == FERRY_ISA_NONE && isa != FERRY_ISA_NONE ? NULL : best;
}

// G: row i evaluates a filter at point x_i and divides by the product of x_i - x_k over the other finite points.
static const double points_2[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
#define AT_A (-2.0 / 3)
#define AT_B (1.0 / 6)
static const double points_4[6][3] = {
    {1, 0, 0},
    {AT_A, AT_A *FERRY_WINOGRAD_A, AT_A * 0.5},
    {AT_A, -AT_A *FERRY_WINOGRAD_A, AT_A * 0.5},
    {AT_B, AT_B *FERRY_WINOGRAD_B, AT_B * 2},
    {AT_B, -AT_B *FERRY_WINOGRAD_B, AT_B * 2},
    {0, 0, 1},
};

void ferry_winograd_filter(size_t m, const float filter[9], double *out)
{
    const size_t n = m + 2;
    const double(*points)[3] = m == 2 ? points_2 : points_4;
    for (size_t i = 0; i < n; i++) {
        double line[3] = {0, 0, 0};
        for (size_t k = 0; k < 3; k++)
            for (size_t l = 0; l < 3; l++) line[l] += points[i][k] * filter[k * 3 + l];
        for (size_t j = 0; j < n; j++)
            out[i * n + j] = line[0] * points[j][0] + line[1] * points[j][1] + line[2] * points[j][2];
    }
}
