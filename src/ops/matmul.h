// SPDX-License-Identifier: Apache-2.0
// Reference kernels of matrix products, for the table in matmul.c.
#ifndef FERRY_SRC_OPS_MATMUL_H_
#define FERRY_SRC_OPS_MATMUL_H_

#include "ops/op.h"

/// numpy's matmul of two tensors: the batch dims broadcast, vectors count as a row (left) or a column (right).
typedef struct ferry_matmul_dims {
    int64_t m, n, k;
    int32_t batch_rank;
    int64_t batch[FERRY_MAX_RANK];
    int64_t a_strides[FERRY_MAX_RANK], b_strides[FERRY_MAX_RANK]; // in matrices, 0 where repeated
} ferry_matmul_dims;

ferry_status ferry_matmul_infer_shape(ferry_infer *infer, ferry_error *err);
void ferry_matmul_dims_of(const ferry_tensor *a, const ferry_tensor *b, ferry_matmul_dims *out);
/// Matrices in the batch, and which of a's and b's belong to the i-th.
int64_t ferry_matmul_count(const ferry_matmul_dims *dims);
void ferry_matmul_at(const ferry_matmul_dims *dims, int64_t i, int64_t *out_a, int64_t *out_b);

ferry_status ferry_matmul_integer_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_matmul_integer_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_gemm_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_gemm_eval(const ferry_eval *eval, ferry_error *err);
size_t ferry_matmul_scratch(const ferry_node *node, const ferry_tensor *in, const ferry_tensor *out);

#endif // FERRY_SRC_OPS_MATMUL_H_
