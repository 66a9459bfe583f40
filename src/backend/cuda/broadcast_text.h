// SPDX-License-Identifier: Apache-2.0
// Elementwise operators of any types as expressions in CUDA text.
#ifndef FERRY_SRC_BACKEND_CUDA_BROADCAST_TEXT_H_
#define FERRY_SRC_BACKEND_CUDA_BROADCAST_TEXT_H_

#include "backend/cuda/source.h"

#define FERRY_CUDA_BROADCAST_OPERANDS 3

/// As kernels spell the type, integers and bool too; NULL for types they don't know.
const char *ferry_cuda_any_type_name(ferry_dtype dtype);

/// Writes COMPUTE of kernels/broadcast.cuh for the node. False when it is no operator that is known, or not for these
/// types.
bool ferry_cuda_broadcast_write(const ferry_graph *graph, const ferry_node *node, ferry_cuda_source *source);

#endif // FERRY_SRC_BACKEND_CUDA_BROADCAST_TEXT_H_
