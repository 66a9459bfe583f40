// SPDX-License-Identifier: Apache-2.0
// What the families of CUDA tactics ask about regions and tensors.
#ifndef FERRY_SRC_BACKEND_CUDA_NODE_H_
#define FERRY_SRC_BACKEND_CUDA_NODE_H_

#include "backend/cuda/chain.h"
#include "backend/cuda/device.h"
#include "backend/reading/node.h"

/// Microseconds for so many multiply-adds of the type and so many bytes to and from memory, a launch included.
double ferry_cuda_cost_us(const ferry_cuda_device *device, ferry_dtype dtype, double macs, double bytes);

/// A launch with a thread for each position and each of its runs of channels, where no thread waits for another.
ferry_status ferry_cuda_launch_positions(ferry_cuda_kernel *kernel, const char *function, int64_t positions,
                                         int64_t runs, ferry_cuda_launch **out, ferry_error *err);

/// Passes the operands of a chain, in their order: bindings, and constants that lie as float[channels] one behind the
/// other from `constants_at` on. The chain's own text reads them as FERRY_EACH_OPERAND says.
void ferry_cuda_pass_operands(ferry_cuda_launch *launch, const ferry_cuda_kernel *kernel, const ferry_region *region,
                              const ferry_cuda_chain *chain, int64_t channels, size_t constants_at);

/// Elements of a tensor; false when that is not known or beyond 2^31 - 1, what kernels count in.
bool ferry_cuda_elements(const ferry_tensor_desc *desc, int64_t *out);
/// Product of the dimensions behind the second.
int64_t ferry_cuda_plane(const ferry_tensor_desc *desc);

#endif // FERRY_SRC_BACKEND_CUDA_NODE_H_
