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

/// A .npy file (NumPy's format), mapped.
typedef struct ferry_tensor_file ferry_tensor_file;

/// Opens a .npy file of any ferry type, little-endian, C order. *out_view (its data perhaps less aligned than its type)
/// lives as long as the file is open. FERRY_ERR_IO, FERRY_ERR_BAD_DATA, FERRY_ERR_UNSUPPORTED with path and reason.
/// Thread-safe.
FERRY_API ferry_status ferry_tensor_file_open(const char *path, ferry_tensor_file **out, ferry_tensor_view *out_view,
                                              ferry_error *error);
FERRY_API void ferry_tensor_file_close(ferry_tensor_file *file); ///< NULL accepted
/// Writes a tensor as .npy: to a temporary file that then takes the path's place. Thread-safe.
FERRY_API ferry_status ferry_tensor_file_write(const char *path, const ferry_tensor_view *view, ferry_error *error);

#ifdef __cplusplus
}
#endif

#endif // FERRY_TENSOR_H_
