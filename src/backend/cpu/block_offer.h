// SPDX-License-Identifier: Apache-2.0
// Which neighbouring convolutions are worth running as one block: a pointwise one that widens, a depthwise one, and a
// pointwise one that narrows, or two of them.
#ifndef FERRY_SRC_BACKEND_CPU_BLOCK_OFFER_H_
#define FERRY_SRC_BACKEND_CPU_BLOCK_OFFER_H_

#include "backend/cpu/tail.h"
#include "backend/reading/conv_shape.h"

#define FERRY_BLOCK_STAGES 3

typedef enum ferry_block_kind {
    FERRY_BLOCK_NONE = 0,
    FERRY_BLOCK_EXPAND_DEPTHWISE = 1,
    FERRY_BLOCK_DEPTHWISE_PROJECT = 2,
    FERRY_BLOCK_WHOLE = 3,
} ferry_block_kind;

/// Stages with the depthwise one where the kind has it: pointwise ones have one group, no stride and no padding; the
/// depthwise one has two spatial dimensions.
ferry_block_kind ferry_block_kind_of(const ferry_conv_shape *shapes, int32_t n_stages);

/// Offers the blocks of tensors of `dtype` that end in `root`: those whose inner values would leave the second-level
/// cache.
ferry_status ferry_block_offer(ferry_cpu_device *device, const ferry_graph_view *view, ferry_node_id root,
                               ferry_dtype dtype, const char *tactic, const ferry_offer_sink *sink, ferry_error *err);

#endif // FERRY_SRC_BACKEND_CPU_BLOCK_OFFER_H_
