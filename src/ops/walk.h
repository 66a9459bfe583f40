// SPDX-License-Identifier: Apache-2.0
// Shape inference node by node, for those that build a graph as they go: the importer asks for ranks and types of what
// it has read so far.
#ifndef FERRY_SRC_OPS_WALK_H_
#define FERRY_SRC_OPS_WALK_H_

#include "ops/infer.h"
#include "ops/known.h"

/// What is found of a value.
typedef struct ferry_inferred {
    ferry_shape shape;
    ferry_dtype dtype;
    ferry_known known;
    bool bounded; // some dimension is only an upper bound
    bool failed;  // its node, or one before it, has a problem that is in the report
} ferry_inferred;

typedef struct ferry_infer_walk {
    const ferry_graph *graph; // borrowed; may grow between steps
    ferry_report *report;     // borrowed
    ferry_arena arena;
    bool require_known;    // set after init: unknown shapes are findings
    bool unsupported, bad; // kinds of findings so far

    ferry_inferred *values; // [n_values] of those that were seen by the last step or sync
    size_t n_values, cap_values;

    // Room for one node's arrays, reused from node to node.
    size_t cap_ins, cap_outs;
    ferry_shape *in_shapes, *out_shapes;
    ferry_dtype *in_dtypes, *out_dtypes;
    ferry_tensor *in_data, *in_partial;
    const bool **in_masks;
    ferry_known *in_known, *out_known;
    bool *in_bounded;
} ferry_infer_walk;

void ferry_infer_walk_init(ferry_infer_walk *walk, const ferry_graph *graph, ferry_report *report,
                           const ferry_heap *heap);
void ferry_infer_walk_deinit(ferry_infer_walk *walk);

/// Takes notice of values that were added to the graph.
ferry_status ferry_infer_walk_sync(ferry_infer_walk *walk, ferry_error *err);
/// Takes notice that a value seen before has become a constant.
void ferry_infer_walk_refresh(ferry_infer_walk *walk, ferry_value_id value);
/// Forgets values from `n_values` on, which the graph has taken back, and that there were findings.
void ferry_infer_walk_forget(ferry_infer_walk *walk, size_t n_values);
/// Infers one node, whose producers were stepped through before. A problem of the node is a finding, and FERRY_OK.
ferry_status ferry_infer_walk_step(ferry_infer_walk *walk, const ferry_node *node, ferry_error *err);

#endif // FERRY_SRC_OPS_WALK_H_
