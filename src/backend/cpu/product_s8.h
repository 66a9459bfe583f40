// SPDX-License-Identifier: Apache-2.0
// A whole int8 matrix product, or convolution: the input is brought into the form that the kernels want, then rows are
// multiplied in parallel tiles.
#ifndef FERRY_SRC_BACKEND_CPU_PRODUCT_S8_H_
#define FERRY_SRC_BACKEND_CPU_PRODUCT_S8_H_

#include "backend/cpu/gemm_s8.h"
#include "backend/cpu/nd.h"
#include "backend/cpu/row_source.h"
#include "base/thread_pool.h"

/// The input as kernels read it: [positions][groups][kc filled up], in the workspace.
typedef struct ferry_s8_form_plan {
    bool needed;                  // false: the kernels read the input itself
    size_t positions, groups, kc; // kc as given
    size_t kc_full;               // a multiple of kq
    size_t bytes;                 // of the workspace
    int64_t channel_step;         // elements of the input between channels
    ferry_nd positions_nd;        // positions in the input: operands are a dense counter, and the input
} ferry_s8_form_plan;

typedef struct ferry_product_s8 {
    const ferry_gemm_s8_row *row;
    ferry_row_source source; // over the formed input
    ferry_s8_form_plan form;
    ferry_gemm_s8_shape shape; // of one group's weights
    size_t groups, group_bytes;
    bool y_float, r_float;
    ferry_finish finish;
} ferry_product_s8;

/// Sets form, source and shape for a convolution. False when the filter is too large.
bool ferry_product_s8_conv(ferry_product_s8 *product, const ferry_conv_shape *shape);
/// The same for a matrix of `rows` x k.
void ferry_product_s8_matrix(ferry_product_s8 *product, size_t rows, size_t k, size_t columns);

/// y[row][group * columns + column]; r likewise, or NULL.
void ferry_product_s8_run(const ferry_product_s8 *product, ferry_thread_pool *pool, const int8_t *x, const char *packed,
                          const void *r, void *y, void *workspace);

/// Fills `bytes` of `zeros` with what stands for zero in the form (the biased one has 128 there).
void ferry_s8_form_zeros(ferry_s8_form form, void *zeros, size_t bytes);

#endif // FERRY_SRC_BACKEND_CPU_PRODUCT_S8_H_
