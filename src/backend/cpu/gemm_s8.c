// SPDX-License-Identifier: Apache-2.0
// The table of int8 matrix tiles, and the packing that they share. A panel holds, for each of its columns, the value at
// which the sum starts (int32), the multiplier and the bias (floats), then the weights: kq of a column side by side.
#include "backend/cpu/gemm_s8.h"

#include <string.h>

#include "backend/cpu/isa.h"
#include "base/size.h"

#define FERRY_GEMM_S8(mr, nr, vec, kq, form, isa, suffix)                                                              \
    void ferry_gemm_s8_##mr##x##nr##__##suffix(const ferry_gemm_s8_tile *);
#include "backend/cpu/gemm_s8.inc"
#undef FERRY_GEMM_S8

static const ferry_gemm_s8_row rows[] = {
#define FERRY_GEMM_S8(mr, nr, vec, kq, form, isa, suffix)                                                              \
    {#suffix, isa, mr, nr, vec, kq, form, ferry_gemm_s8_##mr##x##nr##__##suffix},
#include "backend/cpu/gemm_s8.inc"
#undef FERRY_GEMM_S8
};

#define COLUMN_BYTES (sizeof(int32_t) + 2 * sizeof(float)) // of a column, beside its weights

const ferry_gemm_s8_row *ferry_gemm_s8_at(size_t index)
{
    return index < FERRY_COUNT_OF(rows) ? &rows[index] : NULL;
}

const ferry_gemm_s8_row *ferry_gemm_s8_pick(uint32_t isa)
{
    const ferry_gemm_s8_row *best = NULL;
    for (size_t i = 0; i < FERRY_COUNT_OF(rows); i++)
        if ((rows[i].isa & ~isa) == 0) best = &rows[i];
    return best;
}

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static size_t depth(const ferry_gemm_s8_row *row, const ferry_gemm_s8_shape *shape)
{
    return shape->taps * round_up(shape->kc, row->kq);
}

bool ferry_gemm_s8_packed_bytes(const ferry_gemm_s8_row *row, const ferry_gemm_s8_shape *shape, size_t *out)
{
    size_t each = 0, columns = 0;
    if (shape->kc > SIZE_MAX / 64 || shape->columns > SIZE_MAX / 64) return false;
    columns = round_up(shape->columns, row->vec);
    return ferry_mul_size(shape->taps, round_up(shape->kc, row->kq), &each) &&
           ferry_add_size(each, COLUMN_BYTES, &each) && ferry_mul_size(each, columns, out);
}

size_t ferry_gemm_s8_panel(const ferry_gemm_s8_row *row, const ferry_gemm_s8_shape *shape, size_t column)
{
    return (depth(row, shape) + COLUMN_BYTES) * column;
}

void ferry_gemm_s8_pack(const ferry_gemm_s8_row *row, const ferry_gemm_s8_shape *shape,
                        const ferry_gemm_s8_weights *weights, char *out)
{
    const size_t k_each = round_up(shape->kc, row->kq);
    for (size_t first = 0; first < shape->columns; first += row->nr) {
        const size_t n = shape->columns - first < row->nr ? shape->columns - first : row->nr;
        const size_t width = round_up(n, row->vec);
        char *panel = out + ferry_gemm_s8_panel(row, shape, first);
        memset(panel, 0, width * (depth(row, shape) + COLUMN_BYTES));
        int8_t *to = (int8_t *)(panel + width * COLUMN_BYTES);
        for (size_t c = 0; c < n; c++) {
            const int8_t *from = weights->w + (first + c) * weights->column_stride;
            int32_t sum = 0;
            for (size_t t = 0; t < shape->taps; t++)
                for (size_t k = 0; k < shape->kc; k++) {
                    const int8_t w = from[t * weights->tap_stride + k * weights->k_stride];
                    const size_t at = t * k_each + k;
                    to[at / row->kq * width * row->kq + c * row->kq + at % row->kq] = w;
                    sum += w;
                }
            // The kernel's elements are 128 too large, all taps and padding alike. At most 131071 weights: no overflow.
            const int32_t start = row->form == FERRY_S8_BIASED ? -128 * sum : 0;
            memcpy(panel + c * sizeof start, &start, sizeof start);
            memcpy(panel + width * sizeof start + c * sizeof(float), &weights->mult[first + c], sizeof(float));
            memcpy(panel + width * (sizeof start + sizeof(float)) + c * sizeof(float), &weights->bias[first + c],
                   sizeof(float));
        }
    }
}
