// SPDX-License-Identifier: Apache-2.0
// Reading a matrix product with constant weights, for the families that run it: Gemm, FusedGemm, and MatMul with a
// matrix on the right.
#ifndef FERRY_SRC_BACKEND_READING_MATRIX_NODE_H_
#define FERRY_SRC_BACKEND_READING_MATRIX_NODE_H_

#include "backend/reading/node.h"
#include "ops/epilogue.h"

/// What the three operators come to: y[rows][n] = act(x[rows][k] * w + bias) with a residual.
typedef struct ferry_matrix {
    size_t k, n, k_stride, n_stride; // strides of the weights
    int64_t bias_step;               // 1, or 0 for one bias for all columns
    float alpha, beta;
    ferry_epilogue epilogue;
} ferry_matrix;

/// False for forms that the families leave to others. A bias that changes from row to row is one of them.
bool ferry_matrix_read(const ferry_graph *graph, const ferry_node *node, ferry_matrix *out);

/// Rows of k elements of that type that an operand [..., k] has; false unless it lies plain.
bool ferry_matrix_rows(const ferry_tensor_desc *desc, ferry_dtype dtype, size_t k, size_t *out);

#endif // FERRY_SRC_BACKEND_READING_MATRIX_NODE_H_
