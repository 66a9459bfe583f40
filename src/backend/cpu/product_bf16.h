// SPDX-License-Identifier: Apache-2.0
// A whole matrix product, or convolution, of bf16: rows from a row source times packed weights, in parallel tiles.
#ifndef FERRY_SRC_BACKEND_CPU_PRODUCT_BF16_H_
#define FERRY_SRC_BACKEND_CPU_PRODUCT_BF16_H_

#include "backend/cpu/gemm_bf16.h"
#include "backend/cpu/row_source.h"
#include "base/thread_pool.h"

typedef struct ferry_product_bf16 {
    const ferry_gemm_bf16_row *row;
    ferry_row_source source;
    ferry_gemm_bf16_shape shape; // of one group's weights
    size_t groups, group_bytes;
    size_t y_row, r_row; // elements from an output row, and of the residual, to the next; 0: groups * columns
    ferry_finish finish;
} ferry_product_bf16;

/// y[row][group * columns + column], rows y_row apart; r likewise, or NULL. `packed` holds a group's panels behind the
/// other's.
void ferry_product_bf16_run(const ferry_product_bf16 *product, ferry_thread_pool *pool, const uint16_t *x,
                            const char *packed, const uint16_t *r, uint16_t *y);

#endif // FERRY_SRC_BACKEND_CPU_PRODUCT_BF16_H_
