// SPDX-License-Identifier: Apache-2.0
// Packages on the device: modules loaded and constants copied once, however many contexts use them.
#ifndef FERRY_SRC_BACKEND_CUDA_RESIDENT_H_
#define FERRY_SRC_BACKEND_CUDA_RESIDENT_H_

#include "backend/cuda/device.h"

typedef struct ferry_cuda_resident {
    const void *data; // the package's bytes in host memory: what it is found by
    size_t bytes;
    int32_t users, n_modules;
    ferry_cu_module modules[FERRY_CUDA_MOST_CUBINS];
    ferry_cu_pointer constants; // 0: none
    size_t constant_bytes, code_bytes;
    struct ferry_cuda_resident *next;
} ferry_cuda_resident;

/// Loads the package unless it is there already. `data` stays the caller's and must outlive every use. The device's
/// context is current. Thread-safe.
ferry_status ferry_cuda_resident_get(ferry_cuda_device *device, const void *data, size_t bytes,
                                     ferry_cuda_resident **out, ferry_error *err);
/// Gives one use back; the last one unloads it. The device's context is current.
void ferry_cuda_resident_put(ferry_cuda_device *device, ferry_cuda_resident *resident);

/// Bytes of all that is loaded. Thread-safe.
void ferry_cuda_resident_count(ferry_cuda_device *device, uint64_t *out_constants, uint64_t *out_code);

#endif // FERRY_SRC_BACKEND_CUDA_RESIDENT_H_
