// SPDX-License-Identifier: Apache-2.0
// Reading and packing regions of two or three neighbouring convolutions, each of them as the family of single ones
// does.
#ifndef FERRY_SRC_BACKEND_CPU_BLOCK_NODES_H_
#define FERRY_SRC_BACKEND_CPU_BLOCK_NODES_H_

#include "backend/cpu/block_offer.h"
#include "backend/cpu/conv_node.h"
#include "backend/reading/conv_stages.h"

/// The stages of a region as their families read them.
typedef struct ferry_block_nodes {
    ferry_conv_stage stages[FERRY_BLOCK_STAGES];
    ferry_conv_node nodes[FERRY_BLOCK_STAGES];
    int32_t n;
    ferry_block_kind kind;
} ferry_block_nodes;

/// For prepare: a block whose tensors are all of `dtype`, with channels last.
ferry_status ferry_block_read(const ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                              ferry_dtype dtype, const ferry_tensor_desc *in, const ferry_tensor_desc *out,
                              ferry_block_nodes *block, ferry_error *err);

/// The families that pack a block's stages.
typedef struct ferry_block_families {
    const ferry_cpu_family *pointwise, *depthwise;
    const char *pointwise_tactic; // by which that family tells types apart; NULL: the block's own
} ferry_block_families;

/// The packed constants of the stages, one behind another, each where a cache line begins.
ferry_status ferry_block_pack(ferry_cpu_device *device, const ferry_block_families *families,
                              const ferry_region *region, const char *tactic, void **out_data, size_t *out_bytes,
                              ferry_error *err);
/// The next stage's packed constants of so many bytes; NULL when they end before.
const void *ferry_block_take(const char **packed, size_t *bytes_left, size_t bytes);

#endif // FERRY_SRC_BACKEND_CPU_BLOCK_NODES_H_
