// SPDX-License-Identifier: Apache-2.0
// NumPy's .npy files: tensors in and out of the command and the tests.
#ifndef FERRY_SRC_BASE_NPY_H_
#define FERRY_SRC_BASE_NPY_H_

#include "base/heap.h"
#include "base/status.h"

/// A tensor in row-major (C) order.
typedef struct ferry_npy {
    ferry_dtype dtype;
    uint32_t rank; ///< 0 for a scalar
    uint64_t shape[FERRY_MAX_RANK];
    uint64_t elem_count;
    const void *data; ///< borrowed; when read, only as aligned as the file has it (NumPy aligns to 64)
    size_t bytes;     ///< elem_count * ferry_dtype_bytes(dtype)
} ferry_npy;

/// Reads .npy format 1.0, 2.0 or 3.0 in memory (a file map, say); `out->data` points into `file`. Every ferry dtype,
/// little-endian: f2 is F16, and V2 (what NumPy makes of ml_dtypes.bfloat16) is BF16. FERRY_ERR_BAD_DATA: damaged,
/// truncated, or followed by other bytes. FERRY_ERR_UNSUPPORTED: big-endian, Fortran order, structured, object, complex
/// and text arrays, more than FERRY_MAX_RANK dimensions; the text says how to save instead.
ferry_status ferry_npy_parse(const void *file, size_t file_bytes, ferry_npy *out, ferry_error *err);

enum { FERRY_NPY_MAX_HEADER = 512 };

/// Writes a format 1.0 header (a multiple of 64 bytes) for dtype, rank and shape into `out` and returns its size;
/// 0 when dtype or rank is unknown. What follows it in the file is the data.
size_t ferry_npy_header(const ferry_npy *npy, uint8_t out[FERRY_NPY_MAX_HEADER]);

/// Writes header and data atomically. `bytes` and `elem_count` must match dtype and shape, else
/// FERRY_ERR_INVALID_ARGUMENT.
ferry_status ferry_npy_write(const ferry_heap *heap, const char *path, const ferry_npy *npy, ferry_error *err);

#endif // FERRY_SRC_BASE_NPY_H_
