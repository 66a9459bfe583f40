// SPDX-License-Identifier: Apache-2.0
// Walks over strided tensors in the order in which the output lies in memory: whatever the layouts, the innermost run
// is as long as it can be, and runs can be shared among threads.
#ifndef FERRY_SRC_BACKEND_READING_ND_H_
#define FERRY_SRC_BACKEND_READING_ND_H_

#include "backend/backend.h"

#define FERRY_ND_OPERANDS 4 // the output and up to three inputs

typedef struct ferry_nd {
    int32_t rank, operands;       // rank >= 1
    int64_t dims[FERRY_MAX_RANK]; // the last is the innermost run
    int64_t strides[FERRY_ND_OPERANDS][FERRY_MAX_RANK];
    size_t runs; // product of all dims but the last; 0 when there are no elements
} ferry_nd;

/// strides[k]: per model dimension, 0 along broadcast ones; operand 0 is the output. Dimensions are sorted by the
/// output's strides, and merged where they lie behind one another in every operand.
void ferry_nd_make(int32_t rank, const int64_t *dims, int32_t operands, const int64_t *const *strides, ferry_nd *out);

/// Strides of `desc` broadcast (numpy's rules) to `rank` dims; false when it cannot be.
bool ferry_nd_broadcast(const ferry_tensor_desc *desc, int32_t rank, const int64_t *dims, int64_t *out_strides);

typedef struct ferry_nd_cursor {
    int64_t index[FERRY_MAX_RANK];
    int64_t at[FERRY_ND_OPERANDS]; // element where the run begins, in each operand
} ferry_nd_cursor;

void ferry_nd_seek(const ferry_nd *nd, size_t run, ferry_nd_cursor *out);
void ferry_nd_next(const ferry_nd *nd, ferry_nd_cursor *cursor);

#endif // FERRY_SRC_BACKEND_READING_ND_H_
