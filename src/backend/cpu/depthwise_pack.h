// SPDX-License-Identifier: Apache-2.0
// Weights of depthwise convolutions of floats, as their kernels read them: biases, then the weights of each tap, all
// with channels side by side. Between them, where weights are f16, the powers of two that products are to be multiplied
// by.
#ifndef FERRY_SRC_BACKEND_CPU_DEPTHWISE_PACK_H_
#define FERRY_SRC_BACKEND_CPU_DEPTHWISE_PACK_H_

#include "backend/cpu/node.h"

typedef struct ferry_depthwise_packing {
    size_t multiple;                                  // channels are filled up to it; a power of two
    size_t (*place)(size_t multiple, size_t channel); // where a channel lies among them; NULL: in its own place
    bool f16;                                         // weights, scaled as in gemm_half.h; else f32
} ferry_depthwise_packing;

/// Floats of the whole, and channels after filling up; false when they cannot be packed.
bool ferry_depthwise_packed_floats(const ferry_depthwise_packing *packing, const int64_t *w_dims, int32_t w_rank,
                                   size_t *out_padded, size_t *out);

/// As ferry_cpu_family.pack, for a region that begins with the convolution.
ferry_status ferry_depthwise_pack(ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                                  const ferry_depthwise_packing *packing, void **out_data, size_t *out_bytes,
                                  ferry_error *err);

#endif // FERRY_SRC_BACKEND_CPU_DEPTHWISE_PACK_H_
