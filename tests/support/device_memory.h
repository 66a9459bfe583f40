// SPDX-License-Identifier: Apache-2.0
// Running one prepared kernel on tensors in host memory, wherever the device's own memory is: on a device apart, each
// tensor and the workspace are copied there between guard bytes, and back.
#ifndef FERRY_TESTS_SUPPORT_DEVICE_MEMORY_H_
#define FERRY_TESTS_SUPPORT_DEVICE_MEMORY_H_

#include "backend/backend.h"
#include "support/guarded.h"

/// Host memory that a binding points into: what is copied is the whole of it.
typedef struct device_tensor {
    guarded *memory;
    ferry_binding *binding;
} device_tensor;

/// Enqueues the kernel and waits; where the device captures graphs, in one behind a kernel that makes what it reads, so
/// that it shows whether it waits for that. Bindings that point to the same memory do so on the device too. *out_whole
/// is false when guard bytes on the device changed. The workspace is filled with garbage before.
ferry_status device_run(ferry_device_stream *stream, const ferry_kernel *kernel, const device_tensor *in, int32_t n_in,
                        const device_tensor *out, int32_t n_out, void *workspace, bool *out_whole, ferry_error *err);

#endif // FERRY_TESTS_SUPPORT_DEVICE_MEMORY_H_
