// SPDX-License-Identifier: Apache-2.0
// Copies between strided views of any element size: what data movers and changes of layout are made of.
#ifndef FERRY_SRC_BACKEND_READING_STRIDED_COPY_H_
#define FERRY_SRC_BACKEND_READING_STRIDED_COPY_H_

#include "backend/reading/nd.h"

typedef struct ferry_strided_copy {
    ferry_nd walk;               // operand 0 written, operand 1 read
    size_t elem_bytes;           // 1, 2, 4 or 8
    int64_t out_first, in_first; // elements before the first one
    bool turned;                 // the dimension that lies dense in the input comes last but one: copied in blocks
} ferry_strided_copy;

static inline int64_t ferry_nd_row(const ferry_nd *nd)
{
    return nd->dims[nd->rank - 1];
}
static inline int64_t ferry_nd_step(const ferry_nd *nd, int32_t operand)
{
    return nd->strides[operand][nd->rank - 1];
}

/// Strides and offsets in elements; the caller has checked that all of it lies inside the tensors. Input strides may be
/// 0 or negative.
void ferry_strided_copy_make(ferry_strided_copy *out, size_t elem_bytes, int32_t rank, const int64_t *dims,
                             const int64_t *out_strides, int64_t out_first, const int64_t *in_strides,
                             int64_t in_first);

#endif // FERRY_SRC_BACKEND_READING_STRIDED_COPY_H_
