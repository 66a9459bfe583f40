// SPDX-License-Identifier: Apache-2.0
// A whole int8 matrix product, or convolution. Rows are read where they lie whenever the kernels can; else the input is
// first brought into the form that they want. Then rows are multiplied in parallel tiles.
#ifndef FERRY_SRC_BACKEND_CPU_PRODUCT_S8_H_
#define FERRY_SRC_BACKEND_CPU_PRODUCT_S8_H_

#include "backend/cpu/elementwise_s8.h"
#include "backend/cpu/form.h"
#include "backend/cpu/gemm_s8.h"
#include "backend/cpu/row_source.h"
#include "base/thread_pool.h"

typedef struct ferry_product_s8 {
    const ferry_gemm_s8_row *row;
    ferry_row_source source; // over the formed input; source.zeros is the caller's to set where not formed
    bool formed;             // else the kernels read the input itself
    ferry_form form;
    ferry_gemm_s8_shape shape; // of one group's weights
    size_t groups, group_bytes;
    bool y_float, r_float;
    size_t y_row, r_row; // elements from an output row, and of the residual, to the next; 0: groups * columns
    ferry_finish finish;
    ferry_look_up_s8 look_up; // for the finish's table
} ferry_product_s8;

/// Sets form, source and shape for a convolution. False when it is too large.
bool ferry_product_s8_conv(ferry_product_s8 *product, const ferry_conv_shape *shape);
/// The same for a matrix of `rows` x k.
bool ferry_product_s8_matrix(ferry_product_s8 *product, size_t rows, size_t k, size_t columns);
/// How a convolution's weights are cut into taps, which the kernels, the weights and the attributes alone decide. All
/// taps of a filter may come to more elements than it has: then channels are filled up.
ferry_gemm_s8_shape ferry_product_s8_taps(const ferry_gemm_s8_row *row, int64_t group, const ferry_window *window,
                                          const int64_t *w_dims);

/// y[row][group * columns + column], rows y_row apart; r likewise, or NULL.
void ferry_product_s8_run(const ferry_product_s8 *product, ferry_thread_pool *pool, const int8_t *x, const char *packed,
                          const void *r, void *y, void *workspace);

#endif // FERRY_SRC_BACKEND_CPU_PRODUCT_S8_H_
