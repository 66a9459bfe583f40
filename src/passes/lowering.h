// SPDX-License-Identifier: Apache-2.0
// What the steps of lowering share.
#ifndef FERRY_SRC_PASSES_LOWERING_H_
#define FERRY_SRC_PASSES_LOWERING_H_

#include "passes/kinds.h"
#include "passes/lower.h"

/// The types that one tensor may have side by side.
enum { FERRY_FORM_F32, FERRY_FORM_F16, FERRY_FORM_BF16, FERRY_FORM_S8, FERRY_FORM_COUNT };

typedef struct ferry_forms {
    ferry_value_id as[FERRY_FORM_COUNT];      // FERRY_NO_VALUE until made
    ferry_value_id rounded[FERRY_FORM_COUNT]; // of a tensor that a Q/DQ pair rounds but floats store: what is read
} ferry_forms;

/// What an INT8 tensor is rounded to: real = scale * (integer - zero).
typedef struct ferry_grid {
    float scale;
    int32_t zero;
} ferry_grid;

typedef struct ferry_lowering {
    const ferry_graph *graph; // after passes
    const ferry_numeric_plan *plan;
    ferry_graph *out; // began as a copy: the first values and nodes have the same indices
    ferry_arena scratch;
    ferry_forms *forms;        // [graph->n_values]
    ferry_value_id zeros[256]; // constants of the zero points -128 .. 127, once made: conversions share them
} ferry_lowering;

/// The tensor `value` (an index into the graph after passes) as readers of that type get it: rounded to INT8 where a
/// Q/DQ pair says so, whatever type it is stored in. Conversions are made once.
ferry_status ferry_lowering_form(ferry_lowering *lowering, ferry_value_id value, ferry_dtype dtype, ferry_value_id *out,
                                 ferry_error *err);
/// The INT8 form of `value` with another tensor's scale.
ferry_status ferry_lowering_rescaled(ferry_lowering *lowering, ferry_value_id value, ferry_value_id like,
                                     ferry_value_id *out, ferry_error *err);
/// The grid of the tensor's INT8 form; an error when the plan has none.
ferry_status ferry_lowering_grid(const ferry_lowering *lowering, ferry_value_id value, ferry_grid *out,
                                 ferry_error *err);
/// Records the grid on a value of the graph being made.
ferry_status ferry_lowering_set_grid(ferry_lowering *lowering, ferry_value_id made, const ferry_grid *grid,
                                     ferry_error *err);
/// A scalar int8 constant.
ferry_status ferry_lowering_zero(ferry_lowering *lowering, int32_t zero, ferry_value_id *out, ferry_error *err);
/// Rewrites a node that the plan gives to INT8.
ferry_status ferry_lowering_int8_node(ferry_lowering *lowering, ferry_node_id node, ferry_error *err);
/// True when a Q/DQ pair rounds the tensor for all readers, though it is stored in floats.
bool ferry_lowering_rounds(const ferry_lowering *lowering, ferry_value_id value);
/// The 256 entries of a FERRY_INT8_TABLE node: real values for the inputs that q = -128 .. 127 stand for.
ferry_status ferry_lowering_table(const ferry_graph *graph, ferry_node_id node, const ferry_grid *grid,
                                  double *out_entries, ferry_error *err);

#endif // FERRY_SRC_PASSES_LOWERING_H_
