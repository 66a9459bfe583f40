// SPDX-License-Identifier: Apache-2.0
// Nested loops over strided tensors: broadcasting, transposing, slicing and tiling are all the same walk, so that
// kernels only write the innermost run.
#ifndef FERRY_SRC_OPS_LOOPS_H_
#define FERRY_SRC_OPS_LOOPS_H_

#include "ops/op.h"

#define FERRY_LOOPS_OPERANDS 3
#define FERRY_LOOPS_RANK (2 * FERRY_MAX_RANK) // Tile walks (repeat, dim) pairs

/// A walk in row-major order over `dims`. Dimensions that lie behind one another in every operand are merged, so the
/// innermost run is as long as it can be.
typedef struct ferry_loops {
    int32_t rank, n;                           // of the outer dimensions; of operands
    int64_t row;                               // elements of an innermost run
    int64_t row_strides[FERRY_LOOPS_OPERANDS]; // element step of each operand inside a run
    int64_t offsets[FERRY_LOOPS_OPERANDS];     // where the run starts, in elements of each operand
    int64_t dims[FERRY_LOOPS_RANK], index[FERRY_LOOPS_RANK];
    int64_t strides[FERRY_LOOPS_OPERANDS][FERRY_LOOPS_RANK];
} ferry_loops;

/// Starts at the first run; false when there are no elements. strides[operand] points to `rank` element strides.
bool ferry_loops_begin(ferry_loops *loops, int32_t rank, const int64_t *dims, int32_t n, const int64_t *const *strides);
/// Goes to the next run; false after the last.
bool ferry_loops_next(ferry_loops *loops);

/// Row-major element strides of dense dims.
void ferry_dense_strides(int32_t rank, const int64_t *dims, int64_t *out_strides);
/// Elements of dims of an existing tensor. When another dimension of it is 0, the product of some dims may be anything:
/// kernels answer empty tensors before they use such products.
int64_t ferry_dims_elements(int32_t rank, const int64_t *dims);
static inline int64_t ferry_elements(const ferry_tensor *tensor)
{
    return ferry_dims_elements(tensor->rank, tensor->dims);
}

/// Copies elements of `bytes` (1, 2, 4 or 8) between strided views that do not overlap; strides in elements, may be 0
/// or negative in the source.
void ferry_copy_strided(size_t bytes, int32_t rank, const int64_t *dims, void *to, const int64_t *to_strides,
                        const void *from, const int64_t *from_strides);

#endif // FERRY_SRC_OPS_LOOPS_H_
