// SPDX-License-Identifier: Apache-2.0
// Operators that run over lines of a tensor: softmax, normalisations and reductions, read from the graph.
#ifndef FERRY_SRC_BACKEND_CUDA_ROWS_NODE_H_
#define FERRY_SRC_BACKEND_CUDA_ROWS_NODE_H_

#include "backend/cuda/node.h"

typedef enum ferry_cuda_rows_kind { // KIND of kernels/rows.cuh
    FERRY_CUDA_SOFTMAX = 0,
    FERRY_CUDA_LOG_SOFTMAX = 1,
    FERRY_CUDA_NORM = 2,
    FERRY_CUDA_REDUCE = 3,
} ferry_cuda_rows_kind;

/// x is [outer][length][inner]; each line of `length` elements, `inner` apart, is one sum.
typedef struct ferry_cuda_rows {
    ferry_cuda_rows_kind kind;
    const char *text; // of a reduction: its macros
    int64_t outer, length, inner;
    // Of a normalisation: element i of row r takes scale[r % groups * (length / plane) + i / plane].
    const ferry_value *scale, *bias; // NULL: none
    int64_t groups, plane;
    bool centred;
    float epsilon;
} ferry_cuda_rows;

/// Cuts the tensor at the dimensions that `over` names: into outer, length and inner. False when these are no
/// neighbours in memory.
bool ferry_cuda_rows_cut(const ferry_tensor_desc *x, const bool *over, ferry_cuda_rows *out);

/// False when the node is none that is known, or its tensors lie in a way that has no lines.
bool ferry_cuda_rows_read(const ferry_graph *graph, const ferry_node *node, const ferry_tensor_desc *x,
                          const ferry_tensor_desc *y, ferry_cuda_rows *out);

#endif // FERRY_SRC_BACKEND_CUDA_ROWS_NODE_H_
