// SPDX-License-Identifier: Apache-2.0
// Batched matrix products: dims and where each batch's matrices begin, with numpy's broadcasting.
#ifndef FERRY_SRC_BACKEND_READING_MATMUL_SHAPE_H_
#define FERRY_SRC_BACKEND_READING_MATMUL_SHAPE_H_

#include "backend/backend.h"

typedef struct ferry_matmul_shape {
    size_t m, n, k, batches;
    int32_t rank;                    // of the batch dims
    int64_t dims[FERRY_MAX_RANK];    // batch dims
    int64_t a_steps[FERRY_MAX_RANK]; // elements between batches along each dim; 0 where it is broadcast
    int64_t b_steps[FERRY_MAX_RANK];
} ferry_matmul_shape;

/// a [..., m, k], b [..., k, n], y [..., m, n], all plain and of rank 2 or more. False when they do not fit together.
bool ferry_matmul_shape_read(const ferry_tensor_desc *a, const ferry_tensor_desc *b, const ferry_tensor_desc *y,
                             ferry_matmul_shape *out);
/// First element of the matrix that batch `batch` reads.
int64_t ferry_matmul_offset_a(const ferry_matmul_shape *shape, size_t batch);
int64_t ferry_matmul_offset_b(const ferry_matmul_shape *shape, size_t batch);

#endif // FERRY_SRC_BACKEND_READING_MATMUL_SHAPE_H_
