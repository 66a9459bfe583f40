// SPDX-License-Identifier: Apache-2.0
// Inputs of a node that may be bound or constant: constants lie packed, one behind another, in the order of the inputs.
#ifndef FERRY_SRC_BACKEND_CUDA_INPUTS_H_
#define FERRY_SRC_BACKEND_CUDA_INPUTS_H_

#include "backend/cuda/node.h"

/// Where the elements of input i lie among the packed ones, if it is constant; for i == n_inputs, where they end.
size_t ferry_cuda_constant_at(const ferry_graph *graph, const ferry_node *node, int32_t i);
/// Copies the elements of every constant input into the package.
ferry_status ferry_cuda_pack_constants(const ferry_graph *graph, const ferry_node *node, ferry_cuda_package *package,
                                       ferry_error *err);
/// Passes the address of input i of the region's node: the binding's, or the packed constant's.
void ferry_cuda_pass_input(ferry_cuda_launch *launch, const ferry_cuda_kernel *kernel, const ferry_region *region,
                           int32_t i);

#endif // FERRY_SRC_BACKEND_CUDA_INPUTS_H_
