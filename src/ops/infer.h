// SPDX-License-Identifier: Apache-2.0
// Shape inference over a whole graph, with the shape arithmetic of the model evaluated on the way.
#ifndef FERRY_SRC_OPS_INFER_H_
#define FERRY_SRC_OPS_INFER_H_

#include "ops/op.h"

/// The shape that a graph input takes for this inference.
typedef struct ferry_input_shape {
    ferry_value_id value;
    ferry_shape shape;
} ferry_input_shape;

/// Sets dtype and shape of every value from the inputs' shapes (those in `bound` replace the graph's own; a symbol
/// bound once binds everywhere), evaluating small integer tensors (shape arithmetic) with the reference kernels.
/// Problems of single nodes go into `report`, one each, and the status is FERRY_ERR_BAD_MODEL or FERRY_ERR_UNSUPPORTED
/// when there were any. The graph must be topologically sorted. Results of folded shape arithmetic are not stored as
/// constants: ferry_pass_fold does that. `require_known`: a value whose shape stays unknown is an error too.
/// FERRY_ERR_INVALID_ARGUMENT, naming input, dimension and both numbers, when a bound shape contradicts the model.
/// A tensor of more than 2^47 bytes is refused. Shapes found before a problem are kept in the graph.
ferry_status ferry_graph_infer(ferry_graph *graph, const ferry_input_shape *bound, size_t n_bound, bool require_known,
                               ferry_report *report, ferry_error *err);

/// The same for one set of shapes without touching the graph: out_shapes [n_values] are filled in. Used by execution
/// contexts; allocates from `heap` while it runs. `out_bounded` [n_values] may be NULL: true where a dimension is only
/// an upper bound, because an operator upstream decides it from data.
ferry_status ferry_graph_infer_shapes(const ferry_graph *graph, const ferry_input_shape *bound, size_t n_bound,
                                      ferry_shape *out_shapes, bool *out_bounded, const ferry_heap *heap,
                                      ferry_report *report, ferry_error *err);

/// Evaluates one node whose inputs are all known. Outputs are allocated from `arena`. Used for folding and by tests.
/// in[i].data == NULL and dtype NONE for absent inputs. On success out[0 .. n_outputs) are filled in.
ferry_status ferry_node_eval(const ferry_graph *graph, const ferry_node *node, const ferry_tensor *in,
                             ferry_tensor *out, ferry_arena *arena, ferry_error *err);

#endif // FERRY_SRC_OPS_INFER_H_
