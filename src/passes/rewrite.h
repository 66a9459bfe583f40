// SPDX-License-Identifier: Apache-2.0
// Small moves that passes are made of: asking about constants, setting attributes, merging one node into another.
#ifndef FERRY_SRC_PASSES_REWRITE_H_
#define FERRY_SRC_PASSES_REWRITE_H_

#include "ops/op.h"
#include "passes/pass.h"

// --- Asking ---

/// The node that makes the value, or FERRY_NO_NODE for inputs and constants.
ferry_node_id ferry_rewrite_producer(const ferry_graph *graph, ferry_value_id value);
/// The producer if it is an ONNX or ferry operator of that name, else FERRY_NO_NODE.
ferry_node_id ferry_rewrite_made_by(const ferry_graph *graph, ferry_value_id value, const char *op);
/// True when a Q/DQ pair stood behind the value: whoever reads it reads it rounded to INT8 with the recorded scale.
static inline bool ferry_rewrite_is_rounded(const ferry_graph *graph, ferry_value_id value)
{
    return graph->values[value].quant.dtype == FERRY_S8 && !ferry_value_is_constant(&graph->values[value]);
}
/// The zero point of a quantisation with one scale.
static inline int32_t ferry_rewrite_zero_point(const ferry_quant *quant)
{
    return quant->zero_points ? quant->zero_points[0] : 0;
}
/// The value's only reader, if nothing rounds the value on the way: what makes it and what reads it may become one
/// node. Else FERRY_NO_NODE.
ferry_node_id ferry_rewrite_only_user(const ferry_graph *graph, ferry_value_id value);
/// The value's only reader if it is of that operator, else FERRY_NO_NODE. Not if the value is rounded, either.
ferry_node_id ferry_rewrite_only_user_is(const ferry_graph *graph, ferry_value_id value, const char *op);
/// Input `i` of the node, FERRY_NO_VALUE when absent.
ferry_value_id ferry_rewrite_input(const ferry_node *node, int32_t i);
/// A constant with one element.
bool ferry_rewrite_scalar(const ferry_graph *graph, ferry_value_id value, double *out);
/// A constant with one element that is `expected` within a relative 1e-5.
bool ferry_rewrite_scalar_is(const ferry_graph *graph, ferry_value_id value, double expected);
/// For a node of two inputs: *out_other is the input that is not `value`. False when value is neither, or both.
bool ferry_rewrite_other_input(const ferry_node *node, ferry_value_id value, ferry_value_id *out_other);
/// For a two-input node with one constant scalar: the scalar and the other input.
bool ferry_rewrite_with_scalar(const ferry_graph *graph, const ferry_node *node, double *out_scalar,
                               ferry_value_id *out_other);
bool ferry_rewrite_is_constant(const ferry_graph *graph, ferry_value_id value);
/// Same rank, and every dimension known and equal, or named by the same symbol.
bool ferry_rewrite_same_shape(const ferry_graph *graph, ferry_value_id a, ferry_value_id b);
/// f32, f16 or bf16: the types that fused operators take.
bool ferry_rewrite_is_real(ferry_dtype dtype);

// --- Constants ---

/// The elements as double, in `scratch`; NULL when memory is gone. *out_count may be NULL.
double *ferry_rewrite_load(const ferry_graph *graph, ferry_value_id value, ferry_arena *scratch, size_t *out_count);
/// A new constant. False in *out_finite (may be NULL) and nothing made when an element is not finite in that type.
ferry_status ferry_rewrite_constant(ferry_graph *graph, const char *name, ferry_dtype dtype, const ferry_shape *shape,
                                    const double *elements, size_t count, bool *out_finite, ferry_value_id *out,
                                    ferry_error *err);

// --- Changing ---

ferry_status ferry_rewrite_set_inputs(ferry_graph *graph, ferry_node_id node, const ferry_value_id *inputs,
                                      int32_t n_inputs, ferry_error *err);
/// Sets input `i`, growing the list with absent inputs as needed.
ferry_status ferry_rewrite_set_input(ferry_graph *graph, ferry_node_id node, int32_t i, ferry_value_id value,
                                     ferry_error *err);
ferry_status ferry_rewrite_set_int(ferry_graph *graph, ferry_node_id node, const char *name, int64_t value,
                                   ferry_error *err);
ferry_status ferry_rewrite_set_ints(ferry_graph *graph, ferry_node_id node, const char *name, const int64_t *values,
                                    int32_t count, ferry_error *err);
ferry_status ferry_rewrite_set_float(ferry_graph *graph, ferry_node_id node, const char *name, float value,
                                     ferry_error *err);
ferry_status ferry_rewrite_set_string(ferry_graph *graph, ferry_node_id node, const char *name, const char *value,
                                      ferry_error *err);
/// Changes the operator; attributes that the new one does not know are dropped.
ferry_status ferry_rewrite_set_op(ferry_graph *graph, ferry_node_id node, const char *domain, const char *name,
                                  ferry_error *err);
/// `into` takes over what `gone` was called: its name and everything it had absorbed.
ferry_status ferry_rewrite_absorb(ferry_graph *graph, ferry_node_id into, ferry_node_id gone, ferry_error *err);
/// `first` makes what `second`, its only reader, made: the value keeps its name, `second` is absorbed and removed.
ferry_status ferry_rewrite_merge_into(ferry_graph *graph, ferry_node_id first, ferry_node_id second, ferry_error *err);
/// Every reader of the node's output reads `value` instead and the node goes. False, and nothing changed, when names of
/// graph outputs, or a rounding that other readers of `value` must not see, forbid it. A scale recorded on the output
/// moves on to `value` if that has none.
bool ferry_rewrite_bypass(ferry_graph *graph, ferry_node_id node, ferry_value_id value);
/// A node in front of the others of its kind: output named after `name`, shape to be inferred.
ferry_status ferry_rewrite_add_node(ferry_graph *graph, const char *domain, const char *op, const char *name,
                                    const ferry_value_id *inputs, int32_t n_inputs, ferry_dtype dtype,
                                    ferry_node_id *out_node, ferry_value_id *out_value, ferry_error *err);

#endif // FERRY_SRC_PASSES_REWRITE_H_
