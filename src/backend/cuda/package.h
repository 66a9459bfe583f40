// SPDX-License-Identifier: Apache-2.0
// What a region carries in an engine file: compiled kernels and packed constants, in one block of bytes.
#ifndef FERRY_SRC_BACKEND_CUDA_PACKAGE_H_
#define FERRY_SRC_BACKEND_CUDA_PACKAGE_H_

#include "backend/backend.h"

struct ferry_cuda_device;

#define FERRY_CUDA_MOST_CUBINS 4

/// Being filled by a family's pack.
typedef struct ferry_cuda_package {
    struct ferry_cuda_device *device;
    const void *cubins[FERRY_CUDA_MOST_CUBINS]; // borrowed from the device
    size_t cubin_bytes[FERRY_CUDA_MOST_CUBINS];
    int32_t n_cubins;
    void *constants; // from the device's heap
    size_t constant_bytes;
} ferry_cuda_package;

/// Compiles the text for the device's chip and adds it; in the order of adding it is cubin 0, 1, ...
ferry_status ferry_cuda_package_compile(ferry_cuda_package *package, const char *text, ferry_error *err);
/// Zeroed room for packed constants, once a package; NULL when memory is gone. The device sees them 256-byte aligned.
void *ferry_cuda_package_constants(ferry_cuda_package *package, size_t bytes);

/// The package as bytes from the device's heap, and an empty package. On failure it is empty too.
ferry_status ferry_cuda_package_finish(ferry_cuda_package *package, void **out_data, size_t *out_bytes,
                                       ferry_error *err);
void ferry_cuda_package_clear(ferry_cuda_package *package);

/// A package as it lies in a file or in memory.
typedef struct ferry_cuda_package_view {
    const void *cubins[FERRY_CUDA_MOST_CUBINS];
    size_t cubin_bytes[FERRY_CUDA_MOST_CUBINS];
    int32_t n_cubins;
    const void *constants;
    size_t constant_bytes;
} ferry_cuda_package_view;

/// FERRY_ERR_BAD_ENGINE when the bytes are no package.
ferry_status ferry_cuda_package_read(const void *data, size_t bytes, ferry_cuda_package_view *out, ferry_error *err);

#endif // FERRY_SRC_BACKEND_CUDA_PACKAGE_H_
