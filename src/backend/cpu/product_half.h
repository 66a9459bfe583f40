// SPDX-License-Identifier: Apache-2.0
// A whole matrix product, or convolution, of 16-bit floats: rows from a row source times packed weights, in parallel
// tiles.
#ifndef FERRY_SRC_BACKEND_CPU_PRODUCT_HALF_H_
#define FERRY_SRC_BACKEND_CPU_PRODUCT_HALF_H_

#include "backend/cpu/gemm_half.h"
#include "backend/cpu/row_source.h"
#include "base/thread_pool.h"

typedef struct ferry_product_half {
    const ferry_gemm_half_row *row;
    ferry_row_source source;
    ferry_gemm_half_shape shape; // of one group's weights
    size_t groups, group_bytes;
    size_t y_row, r_row; // elements from an output row, and of the residual, to the next; 0: groups * columns
    ferry_finish finish;
} ferry_product_half;

/// y[row][group * columns + column], rows y_row apart; r likewise, or NULL. `packed` holds a group's panels behind the
/// other's.
void ferry_product_half_run(const ferry_product_half *product, ferry_thread_pool *pool, const uint16_t *x,
                            const char *packed, const uint16_t *r, uint16_t *y);

#endif // FERRY_SRC_BACKEND_CPU_PRODUCT_HALF_H_
