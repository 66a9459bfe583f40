// SPDX-License-Identifier: Apache-2.0
// Between which bounds a tensor's elements lie whatever the input: what activations are good for in INT8.
#ifndef FERRY_SRC_PASSES_BOUNDS_H_
#define FERRY_SRC_PASSES_BOUNDS_H_

#include "graph/graph.h"

typedef struct ferry_bounds {
    double low, high; // infinite where nothing is known
} ferry_bounds;

/// Interval arithmetic over the graph after passes: *out gets one entry a value, in `scratch`. NaN is not considered.
/// The bounds hold for exact arithmetic; rounding may step over them by its own size.
ferry_status ferry_bounds_find(const ferry_graph *graph, ferry_arena *scratch, const ferry_bounds **out,
                               ferry_error *err);

#endif // FERRY_SRC_PASSES_BOUNDS_H_
