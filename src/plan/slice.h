// SPDX-License-Identifier: Apache-2.0
// Slices: values that lie among the channels of another one, so that Concat, Split and Slice along the channels need
// not copy. The graph alone says which values can, and its shapes where they begin: nothing of it is taken from a file.
#ifndef FERRY_SRC_PLAN_SLICE_H_
#define FERRY_SRC_PLAN_SLICE_H_

#include "graph/graph.h"

/// Whether the node is a Concat along the channels, of inputs that are all there.
bool ferry_slice_is_join(const ferry_graph *graph, const ferry_node *node);
/// Whether the node is a Split or Slice of neighbouring channels, whose outputs are all used.
bool ferry_slice_is_cut(const ferry_graph *graph, const ferry_node *node);

/// How many inputs of `join`, from `input` on, `value` is: 1 when it is that input, more when its outputs are what a
/// Split makes of it, all of them and in order. 0: neither.
int32_t ferry_slice_joined(const ferry_graph *graph, const ferry_node *join, int32_t input, ferry_value_id value);

/// The first channel of input `input` (it may be one too many: then the number of channels) of a Concat, at those
/// shapes of all values.
int64_t ferry_slice_joined_at(const ferry_shape *shapes, const ferry_node *join, int32_t input);
/// The first channel of `value`, an output of that Split or Slice; -1 when it lies nowhere in its input.
int64_t ferry_slice_cut_at(const ferry_graph *graph, const ferry_shape *shapes, const ferry_node *cut,
                           ferry_value_id value);

#endif // FERRY_SRC_PLAN_SLICE_H_
