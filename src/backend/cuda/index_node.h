// SPDX-License-Identifier: Apache-2.0
// Operators that read and write by index, read from the graph.
#ifndef FERRY_SRC_BACKEND_CUDA_INDEX_NODE_H_
#define FERRY_SRC_BACKEND_CUDA_INDEX_NODE_H_

#include "backend/cuda/node.h"

#define FERRY_CUDA_INDEX_DIMS 6 // in kernels/index.cuh

typedef enum ferry_cuda_index_kind { // KIND of kernels/index.cuh
    FERRY_CUDA_GATHER_ELEMENTS = 0,
    FERRY_CUDA_GATHER_ND = 1,
    FERRY_CUDA_SCATTER_ELEMENTS = 2,
    FERRY_CUDA_SCATTER_ND = 3,
    FERRY_CUDA_ONE_HOT = 4,
} ferry_cuda_index_kind;

typedef enum ferry_cuda_reduction {
    FERRY_CUDA_SCATTER_NONE = 0,
    FERRY_CUDA_SCATTER_ADD = 1,
    FERRY_CUDA_SCATTER_MUL = 2,
    FERRY_CUDA_SCATTER_MAX = 3,
    FERRY_CUDA_SCATTER_MIN = 4,
} ferry_cuda_reduction;

typedef struct ferry_cuda_index {
    ferry_cuda_index_kind kind;
    ferry_cuda_reduction reduction;
    ferry_dtype index_dtype; // s32 or s64
    int64_t elements;        // of the output
    // Along an axis: dims of the indices (1 along the axis for a scatter), steps in the data, and in the indices.
    int64_t length, axis_step, lines, count, index_step;
    // ND: dims and steps of the data from the first that is indexed on. OneHot: depth, and slice elements behind it.
    int64_t rows, slice, part, depth;
    int64_t dims[FERRY_CUDA_INDEX_DIMS], steps[FERRY_CUDA_INDEX_DIMS], index_steps[FERRY_CUDA_INDEX_DIMS];
} ferry_cuda_index;

/// x: all inputs as they lie, in the node's order. False when the node is none that is known, or does not fit together.
bool ferry_cuda_index_read(const ferry_graph *graph, const ferry_node *node, const ferry_tensor_desc *x,
                           const ferry_tensor_desc *y, ferry_cuda_index *out);
/// The same at the graph's own shapes.
bool ferry_cuda_index_read_graph(const ferry_graph *graph, const ferry_node *node, ferry_cuda_index *out);

#endif // FERRY_SRC_BACKEND_CUDA_INDEX_NODE_H_
