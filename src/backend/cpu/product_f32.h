// SPDX-License-Identifier: Apache-2.0
// A whole matrix product, or convolution, in float: rows from a row source times packed weights, in parallel tiles.
#ifndef FERRY_SRC_BACKEND_CPU_PRODUCT_F32_H_
#define FERRY_SRC_BACKEND_CPU_PRODUCT_F32_H_

#include "backend/cpu/gemm_f32.h"
#include "backend/cpu/row_source.h"
#include "base/thread_pool.h"

typedef struct ferry_product_f32 {
    const ferry_gemm_f32_row *row;
    ferry_row_source source;
    size_t groups, columns; // columns of one group; output rows have groups * columns
    size_t group_floats;    // of packed weights
    size_t y_row, r_row;    // elements from an output row, and of the residual, to the next; 0: groups * columns
    ferry_finish finish;
} ferry_product_f32;

/// y[row][group * columns + column], rows y_row apart; r likewise, or NULL. `packed` holds a group's panels behind the
/// other's.
void ferry_product_f32_run(const ferry_product_f32 *product, ferry_thread_pool *pool, const float *x,
                           const float *packed, const float *r, float *y);

/// Rows and columns of one task, so that every thread finds work: the results do not depend on it.
void ferry_product_blocks(size_t threads, size_t rows, size_t groups, size_t columns, size_t mr, size_t nr,
                          size_t *row_block, size_t *column_block);

#endif // FERRY_SRC_BACKEND_CPU_PRODUCT_F32_H_
