// SPDX-License-Identifier: Apache-2.0
// The table of matrix tiles for 16-bit floats, and the packing that they share. A panel holds the biases of its columns
// (floats), for f16 their scales (floats), then the weights: kq of a column side by side, for each column in turn.
#include "backend/cpu/gemm_half.h"

#include <string.h>

#include "backend/cpu/isa.h"
#include "backend/cpu/scale_f16.h"
#include "base/f16.h"
#include "base/size.h"

#define FERRY_GEMM_HALF(type, dtype, mr, nr, vec, kq, isa, suffix)                                                     \
    void ferry_gemm_##type##_##mr##x##nr##__##suffix(const ferry_gemm_half_tile *);
#include "backend/cpu/gemm_half.inc"
#undef FERRY_GEMM_HALF

static const ferry_gemm_half_row rows[] = {
#define FERRY_GEMM_HALF(type, dtype, mr, nr, vec, kq, isa, suffix)                                                     \
    {#suffix, dtype, isa, mr, nr, vec, kq, ferry_gemm_##type##_##mr##x##nr##__##suffix},
#include "backend/cpu/gemm_half.inc"
#undef FERRY_GEMM_HALF
};

const ferry_gemm_half_row *ferry_gemm_half_at(size_t index)
{
    return index < FERRY_COUNT_OF(rows) ? &rows[index] : NULL;
}

const ferry_gemm_half_row *ferry_gemm_half_pick(uint32_t isa, ferry_dtype dtype)
{
    const ferry_gemm_half_row *best = NULL;
    for (size_t i = 0; i < FERRY_COUNT_OF(rows); i++)
        if (rows[i].dtype == dtype && (rows[i].isa & ~isa) == 0) best = &rows[i];
    return best && best->isa == FERRY_ISA_NONE && isa != FERRY_ISA_NONE ? NULL : best;
}

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

// Floats of a column, beside its weights.
static size_t column_floats(const ferry_gemm_half_row *row)
{
    return row->dtype == FERRY_F16 ? 2 : 1;
}

static size_t column_bytes(const ferry_gemm_half_row *row, const ferry_gemm_half_shape *shape)
{
    return column_floats(row) * sizeof(float) + shape->taps * round_up(shape->kc, row->kq) * sizeof(uint16_t);
}

bool ferry_gemm_half_packed_bytes(const ferry_gemm_half_row *row, const ferry_gemm_half_shape *shape, size_t *out)
{
    size_t depth = 0;
    if (shape->kc > SIZE_MAX / 64 || shape->columns > SIZE_MAX / 64) return false;
    return ferry_mul_size(shape->taps, round_up(shape->kc, row->kq), &depth) && depth < SIZE_MAX / 64 &&
           ferry_mul_size(column_bytes(row, shape), round_up(shape->columns, row->vec), out);
}

size_t ferry_gemm_half_panel(const ferry_gemm_half_row *row, const ferry_gemm_half_shape *shape, size_t column)
{
    return column_bytes(row, shape) * column;
}

static float largest_weight(const ferry_gemm_half_shape *shape, const ferry_gemm_half_weights *weights,
                            const float *column)
{
    float largest = 0;
    for (size_t t = 0; t < shape->taps; t++)
        for (size_t k = 0; k < shape->kc; k++) {
            const float size = fabsf(column[t * weights->tap_stride + k * weights->k_stride]);
            if (size > largest) largest = size;
        }
    return largest;
}

static void pack_column(const ferry_gemm_half_row *row, const ferry_gemm_half_shape *shape,
                        const ferry_gemm_half_weights *weights, const float *from, int exponent, size_t width,
                        uint16_t *to)
{
    const size_t k_each = round_up(shape->kc, row->kq), kq = row->kq;
    for (size_t t = 0; t < shape->taps; t++)
        for (size_t k = 0; k < shape->kc; k++) {
            const size_t at = t * k_each + k;
            const float w = from[t * weights->tap_stride + k * weights->k_stride];
            to[at / kq * width * kq + at % kq] =
                row->dtype == FERRY_F16 ? ferry_f16_from_f32(ldexpf(w, -exponent)) : ferry_bf16_from_f32(w);
        }
}

void ferry_gemm_half_pack(const ferry_gemm_half_row *row, const ferry_gemm_half_shape *shape,
                          const ferry_gemm_half_weights *weights, char *out)
{
    for (size_t first = 0; first < shape->columns; first += row->nr) {
        const size_t n = shape->columns - first < row->nr ? shape->columns - first : row->nr;
        const size_t width = round_up(n, row->vec);
        char *panel = out + ferry_gemm_half_panel(row, shape, first);
        memset(panel, 0, width * column_bytes(row, shape));
        if (weights->bias) memcpy(panel, weights->bias + first, n * sizeof(float));
        float *scales = (float *)panel + width;
        uint16_t *to = (uint16_t *)(panel + column_floats(row) * width * sizeof(float));
        for (size_t c = 0; c < n; c++) {
            const float *from = weights->w + (first + c) * weights->column_stride;
            int exponent = 0;
            if (row->dtype == FERRY_F16) {
                exponent = ferry_scale_f16_exponent(largest_weight(shape, weights, from));
                scales[c] = ldexpf(1, exponent);
            }
            pack_column(row, shape, weights, from, exponent, width, to + c * row->kq);
        }
    }
}
