// SPDX-License-Identifier: Apache-2.0
// Weights in INT8, as docs/INT8.md says: per output channel, or on the grid that a Q/DQ model gave them.
#ifndef FERRY_SRC_PASSES_WEIGHTS_H_
#define FERRY_SRC_PASSES_WEIGHTS_H_

#include "passes/linear.h"

/// NULL when the weights and bias of this FusedConv or FusedGemm can run in INT8, else a static text for the user.
const char *ferry_weights_why_not(const ferry_graph *graph, ferry_node_id node, ferry_arena *scratch);

/// The weights as constant of `to` (whose node may be a copy of `from`'s), with their scales [*out_count] in to's
/// arena.
ferry_status ferry_weights_quantise(const ferry_graph *from, ferry_node_id node, ferry_graph *to, ferry_value_id *out,
                                    const float **out_scales, int64_t *out_count, ferry_error *err);

#endif // FERRY_SRC_PASSES_WEIGHTS_H_
