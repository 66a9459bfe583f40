// SPDX-License-Identifier: Apache-2.0
// Constants of products as kernels want them: weights in another order of dimensions, biases as floats.
#ifndef FERRY_SRC_BACKEND_CUDA_WEIGHTS_H_
#define FERRY_SRC_BACKEND_CUDA_WEIGHTS_H_

#include "graph/graph.h"

/// Copies elements of `bytes` each from [dims[0], dims[1], dims[2], dims[3]] to the order in which order[0] is the
/// outermost of those dimensions and order[3] the innermost.
void ferry_cuda_weights_permute(const void *from, size_t bytes, const int64_t dims[4], const int order[4], void *to);

/// A float constant of `n` elements as floats, or zeros when it is absent (NULL). False when it is another.
bool ferry_cuda_weights_floats(const ferry_value *value, int64_t n, float *to);

#endif // FERRY_SRC_BACKEND_CUDA_WEIGHTS_H_
