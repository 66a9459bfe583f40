// SPDX-License-Identifier: Apache-2.0
// The products that transposed convolutions are made of, in f32 or in bf16: a phase of one group is a matrix of packed
// weights, and rows of windows meet it.
#ifndef FERRY_SRC_BACKEND_CPU_TRANSPOSE_PRODUCT_H_
#define FERRY_SRC_BACKEND_CPU_TRANSPOSE_PRODUCT_H_

#include "backend/cpu/finish.h"
#include "backend/cpu/row_source.h"

typedef struct ferry_transpose_weights {
    size_t taps, kc, columns;
} ferry_transpose_weights;

/// Rows of one phase and group.
typedef struct ferry_transpose_rows {
    const ferry_transpose_weights *weights;
    const char *packed;
    const ferry_row_buffer *x; // pointers, tile by tile
    size_t rows, y_stride;     // in elements
    char *y;
    const ferry_finish *finish;
} ferry_transpose_rows;

typedef struct ferry_transpose_product {
    ferry_dtype dtype;
    size_t mr, vec; // rows of a tile; columns that panels are filled up to
    /// False where it cannot be.
    bool (*packed_bytes)(uint32_t isa, const ferry_transpose_weights *weights, size_t *out);
    /// w: [column][tap][k].
    void (*pack)(uint32_t isa, const ferry_transpose_weights *weights, const float *w, const float *bias, char *out);
    void (*run)(uint32_t isa, const ferry_transpose_rows *rows);
} ferry_transpose_product;

/// False where the instruction set has no product of that type.
bool ferry_transpose_product_pick(uint32_t isa, ferry_dtype dtype, ferry_transpose_product *out);

#endif // FERRY_SRC_BACKEND_CPU_TRANSPOSE_PRODUCT_H_
