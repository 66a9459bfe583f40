// SPDX-License-Identifier: Apache-2.0
// Channel shuffles: parts joined along the channels, which are then taken from each part in turn, and cut apart again.
// Written out as Concat, Reshape, Transpose, Reshape and Slice or Split they pass over memory four times; channels last
// they are one interleaving copy.
#ifndef FERRY_SRC_BACKEND_READING_SHUFFLE_NODE_H_
#define FERRY_SRC_BACKEND_READING_SHUFFLE_NODE_H_

#include "backend/reading/node.h"

#define FERRY_SHUFFLE_PARTS 8 // inputs and outputs, at most
#define FERRY_SHUFFLE_NODES (4 + FERRY_SHUFFLE_PARTS)

/// The nodes of a shuffle that ends in `root`, in topological order; false when there is none.
bool ferry_shuffle_find(const ferry_graph_view *view, ferry_node_id root, ferry_node_id *nodes, int32_t *n_nodes);

/// Whether those nodes are a shuffle, by operators, constants and links. Sizes are the caller's affair.
bool ferry_shuffle_is(const ferry_graph *graph, const ferry_node_id *nodes, int32_t n_nodes);

/// Where the outputs of `cut`, a Slice or Split of neighbouring channels, begin in a tensor of `channels`; counts[o]
/// are the channels of output o. False when it takes something else, or they do not fit.
bool ferry_shuffle_cut(const ferry_graph *graph, const ferry_node *cut, int32_t rank, int64_t channels,
                       const int64_t *counts, int64_t *out_firsts);

/// What the nodes come to at certain shapes.
typedef struct ferry_shuffle {
    int32_t parts, outputs;
    int64_t positions, each;                                        // channels of a part
    int64_t first[FERRY_SHUFFLE_PARTS], count[FERRY_SHUFFLE_PARTS]; // of each output, in channels of a part
    size_t elem_bytes;
} ferry_shuffle;

/// False when the region is no shuffle of dense tensors with channels last.
bool ferry_shuffle_read(const ferry_region *region, const ferry_tensor_desc *in, const ferry_tensor_desc *out,
                        ferry_shuffle *shuffle);
/// For prepare: refuses tensors without a size.
ferry_status ferry_shuffle_check_border(const ferry_region *region, const char *tactic, const ferry_tensor_desc *in,
                                        const ferry_tensor_desc *out, ferry_error *err);
/// For offers: the shuffle that ends in `root`, at the graph's own shapes.
ferry_status ferry_shuffle_offered(const ferry_graph_view *view, ferry_node_id root, const ferry_heap *heap,
                                   ferry_node_id *nodes, int32_t *n_nodes, ferry_shuffle *out, bool *out_found,
                                   ferry_error *err);

#endif // FERRY_SRC_BACKEND_READING_SHUFFLE_NODE_H_
