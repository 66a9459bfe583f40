// SPDX-License-Identifier: Apache-2.0
// Pooling of whole planes with channels last as its first step: sums of parts, which somebody puts together.
#ifndef FERRY_SRC_BACKEND_CUDA_POOL_PARTS_H_
#define FERRY_SRC_BACKEND_CUDA_POOL_PARTS_H_

#include "backend/cuda/node.h"

/// Channels that a thread takes of such a tensor.
int ferry_cuda_pool_width(int64_t channels, ferry_dtype dtype);

/// Compiles kernels/pool_global.cuh for tensors like x into the package.
ferry_status ferry_cuda_pool_compile(const ferry_value *x, bool maximum, bool last, ferry_cuda_package *package,
                                     ferry_error *err);

/// Launches the first step on binding 0, of description x. Sums lie in the workspace as float[batch][parts][channels];
/// with an output y (or NULL) and a single part they are finished and go to output 0.
ferry_status ferry_cuda_pool_parts(ferry_cuda_device *device, ferry_cuda_kernel *kernel, int32_t cubin,
                                   const ferry_tensor_desc *x, const ferry_tensor_desc *y, int width,
                                   int64_t *out_parts, ferry_error *err);

#endif // FERRY_SRC_BACKEND_CUDA_POOL_PARTS_H_
