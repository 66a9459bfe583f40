// SPDX-License-Identifier: Apache-2.0
// The table of bf16 matrix tiles, and the packing that they share. A panel holds the biases of its columns (floats),
// then the weights: the two of a pair side by side, for each column in turn.
#include "backend/cpu/gemm_bf16.h"

#include <string.h>

#include "backend/cpu/isa.h"
#include "base/f16.h"
#include "base/size.h"

#define FERRY_GEMM_BF16(mr, nr, vec, isa, suffix)                                                                      \
    void ferry_gemm_bf16_##mr##x##nr##__##suffix(const ferry_gemm_bf16_tile *);
#include "backend/cpu/gemm_bf16.inc"
#undef FERRY_GEMM_BF16

static const ferry_gemm_bf16_row rows[] = {
#define FERRY_GEMM_BF16(mr, nr, vec, isa, suffix) {#suffix, isa, mr, nr, vec, ferry_gemm_bf16_##mr##x##nr##__##suffix},
#include "backend/cpu/gemm_bf16.inc"
#undef FERRY_GEMM_BF16
};

const ferry_gemm_bf16_row *ferry_gemm_bf16_at(size_t index)
{
    return index < FERRY_COUNT_OF(rows) ? &rows[index] : NULL;
}

const ferry_gemm_bf16_row *ferry_gemm_bf16_pick(uint32_t isa)
{
    const ferry_gemm_bf16_row *best = NULL;
    for (size_t i = 0; i < FERRY_COUNT_OF(rows); i++)
        if ((rows[i].isa & ~isa) == 0) best = &rows[i];
    return best->isa == FERRY_ISA_NONE && isa != FERRY_ISA_NONE ? NULL : best;
}

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static size_t column_bytes(const ferry_gemm_bf16_shape *shape)
{
    return sizeof(float) + shape->taps * round_up(shape->kc, 2) * sizeof(uint16_t);
}

bool ferry_gemm_bf16_packed_bytes(const ferry_gemm_bf16_row *row, const ferry_gemm_bf16_shape *shape, size_t *out)
{
    size_t depth = 0;
    if (shape->kc > SIZE_MAX / 64 || shape->columns > SIZE_MAX / 64) return false;
    return ferry_mul_size(shape->taps, round_up(shape->kc, 2), &depth) && depth < SIZE_MAX / 64 &&
           ferry_mul_size(column_bytes(shape), round_up(shape->columns, row->vec), out);
}

size_t ferry_gemm_bf16_panel(const ferry_gemm_bf16_shape *shape, size_t column)
{
    return column_bytes(shape) * column;
}

void ferry_gemm_bf16_pack(const ferry_gemm_bf16_row *row, const ferry_gemm_bf16_shape *shape,
                          const ferry_gemm_bf16_weights *weights, char *out)
{
    const size_t k_each = round_up(shape->kc, 2);
    for (size_t first = 0; first < shape->columns; first += row->nr) {
        const size_t n = shape->columns - first < row->nr ? shape->columns - first : row->nr;
        const size_t width = round_up(n, row->vec);
        char *panel = out + ferry_gemm_bf16_panel(shape, first);
        memset(panel, 0, width * column_bytes(shape));
        if (weights->bias) memcpy(panel, weights->bias + first, n * sizeof(float));
        uint16_t *to = (uint16_t *)(panel + width * sizeof(float));
        for (size_t c = 0; c < n; c++) {
            const float *from = weights->w + (first + c) * weights->column_stride;
            for (size_t t = 0; t < shape->taps; t++)
                for (size_t k = 0; k < shape->kc; k++) {
                    const size_t at = t * k_each + k;
                    to[(at / 2 * width + c) * 2 + at % 2] =
                        ferry_bf16_from_f32(from[t * weights->tap_stride + k * weights->k_stride]);
                }
        }
    }
}
