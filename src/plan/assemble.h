// SPDX-License-Identifier: Apache-2.0
// Putting a plan together, for the two files that do it: its buffers and steps while they grow.
#ifndef FERRY_SRC_PLAN_ASSEMBLE_H_
#define FERRY_SRC_PLAN_ASSEMBLE_H_

#include "plan/select.h"

typedef struct ferry_assembler {
    ferry_planner *p;
    ferry_plan *plan;
    size_t cap_buffers, cap_steps;
    ferry_plan_buffer *buffers; // heap arrays while growing; copied into the plan's arena at the end
    ferry_plan_step *steps;
    int32_t *in_place; // [n_steps]: how many of the first inputs the output may lie in the memory of
    size_t cap_in_place;
    ferry_buffer_id *first_of_value; // [n_values]: head of the list of a value's buffers
    ferry_buffer_id *next_of_value;  // [n_buffers]
    size_t cap_next;
} ferry_assembler;

ferry_status ferry_assembler_add(ferry_assembler *a, ferry_plan_buffer buffer, ferry_buffer_id *out, ferry_error *err);

/// A buffer of the value on the device (negative: any) in the layout (negative: any): one that is no slice, if there is
/// such a one. FERRY_NO_BUFFER: there is none.
ferry_buffer_id ferry_assembler_find(const ferry_assembler *a, ferry_value_id value, int32_t device, int32_t layout);

/// The same, converted from one that exists when there is none yet. slices: it may be a slice.
ferry_status ferry_assembler_need(ferry_assembler *a, ferry_value_id value, int32_t device, ferry_tensor_layout layout,
                                  bool slices, ferry_buffer_id *out, ferry_error *err);

/// Adds a step that converts `from` to `to`.
ferry_status ferry_assembler_convert(ferry_assembler *a, ferry_step_kind kind, int32_t device, ferry_buffer_id from,
                                     ferry_buffer_id to, ferry_error *err);

/// Brings a value that has just been made to the caller's memory, when it is an output of the graph.
ferry_status ferry_assembler_finish_output(ferry_assembler *a, ferry_value_id value, ferry_buffer_id from,
                                           ferry_error *err);

/// assemble_slices.c: lays a buffer that is about to be added where its value is to be joined with others; leaves it
/// alone when it is not.
ferry_status ferry_assembler_lay_inside(ferry_assembler *a, ferry_plan_buffer *buffer, ferry_error *err);
/// A Concat without a step: copies what was not made in its place.
ferry_status ferry_assembler_join(ferry_assembler *a, ferry_node_id id, ferry_error *err);
/// A Split or Slice without a step.
ferry_status ferry_assembler_cut(ferry_assembler *a, ferry_node_id id, ferry_error *err);

#endif // FERRY_SRC_PLAN_ASSEMBLE_H_
