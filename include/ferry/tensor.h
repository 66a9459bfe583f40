// SPDX-License-Identifier: Apache-2.0
// A tensor that somebody else owns: how outputs reach the decoders, and how inputs and bindings are described.
#ifndef FERRY_TENSOR_H_
#define FERRY_TENSOR_H_

#include "ferry/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/// A borrowed tensor in host memory: contiguous, row-major, in the machine's byte order.
/// Name, shape and data belong to the caller and must outlive the call that the view is given to.
typedef struct ferry_tensor_view {
    const char *name; ///< of the tensor in its model; NULL when it has none
    ferry_dtype dtype;
    int32_t rank;                 ///< 0..FERRY_MAX_RANK; 0 is a scalar
    int64_t dims[FERRY_MAX_RANK]; ///< the first `rank` are used; each >= 0
    const void *data;             ///< aligned to the element; NULL where only the shape is asked for
} ferry_tensor_view;

/// The number of elements; 0 when a dimension is 0, -1 when the view is not valid (rank, a negative dimension, or more
/// than INT64_MAX elements). Thread-safe.
FERRY_API int64_t ferry_tensor_view_elements(const ferry_tensor_view *view);

/// Writes e.g. "f32 [1, 3, 224, 224]" into `text` (always terminated, cut if need be) and returns `text`. Thread-safe.
FERRY_API char *ferry_tensor_view_describe(const ferry_tensor_view *view, char *text, size_t text_bytes);

#ifdef __cplusplus
}
#endif

#endif // FERRY_TENSOR_H_
