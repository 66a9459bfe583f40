// SPDX-License-Identifier: Apache-2.0
// The table of float matrix tiles, and the packing that they share.
#include "backend/cpu/gemm_f32.h"

#include <string.h>

#include "backend/cpu/isa.h"
#include "base/size.h"

#define FERRY_GEMM_F32(mr, nr, vec, isa, suffix)                                                                       \
    void ferry_gemm_f32_##mr##x##nr##__##suffix(const ferry_gemm_f32_tile *);                                          \
    void ferry_gemm_lines_f32_##mr##x##nr##__##suffix(const ferry_gemm_f32_tile *);
#include "backend/cpu/gemm_f32.inc"
#undef FERRY_GEMM_F32

static const ferry_gemm_f32_row rows[] = {
#define FERRY_GEMM_F32(mr, nr, vec, isa, suffix)                                                                       \
    {#suffix, isa, mr, nr, vec, ferry_gemm_f32_##mr##x##nr##__##suffix, ferry_gemm_lines_f32_##mr##x##nr##__##suffix},
#include "backend/cpu/gemm_f32.inc"
#undef FERRY_GEMM_F32
};

const ferry_gemm_f32_row *ferry_gemm_f32_at(size_t index)
{
    return index < FERRY_COUNT_OF(rows) ? &rows[index] : NULL;
}

const ferry_gemm_f32_row *ferry_gemm_f32_pick(uint32_t isa)
{
    const ferry_gemm_f32_row *best = NULL;
    for (size_t i = 0; i < FERRY_COUNT_OF(rows); i++)
        if ((rows[i].isa & ~isa) == 0) best = &rows[i];
    return best;
}

static size_t padded_columns(const ferry_gemm_f32_row *row, size_t columns)
{
    return (columns + row->vec - 1) / row->vec * row->vec;
}

bool ferry_gemm_f32_packed_floats(const ferry_gemm_f32_row *row, size_t k, size_t columns, size_t *out)
{
    size_t padded = 0;
    return ferry_add_size(columns, row->vec, &padded) && ferry_add_size(k, 1, &k) &&
           ferry_mul_size(k, padded_columns(row, columns), out) && *out < SIZE_MAX / sizeof(float);
}

void ferry_gemm_f32_pack(const ferry_gemm_f32_row *row, size_t k, size_t columns, const float *w, size_t k_stride,
                         size_t column_stride, const float *bias, float *out)
{
    for (size_t first = 0; first < columns; first += row->nr) {
        const size_t n = columns - first < row->nr ? columns - first : row->nr;
        const size_t width = padded_columns(row, n);
        float *panel = out + ferry_gemm_f32_panel(k, first);
        memset(panel, 0, (k + 1) * width * sizeof *panel);
        for (size_t c = 0; bias && c < n; c++) panel[c] = bias[first + c];
        for (size_t i = 0; i < k; i++)
            for (size_t c = 0; c < n; c++) panel[(i + 1) * width + c] = w[i * k_stride + (first + c) * column_stride];
    }
}
