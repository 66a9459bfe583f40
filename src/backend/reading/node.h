// SPDX-License-Identifier: Apache-2.0
// What the families of tactics ask about a node: its inputs, bound or constant, and what an offer needs.
#ifndef FERRY_SRC_BACKEND_READING_NODE_H_
#define FERRY_SRC_BACKEND_READING_NODE_H_

#include "backend/backend.h"

/// An input of a node as its kernel reads it.
typedef struct ferry_operand {
    ferry_tensor_desc desc; // constants are plain
    const void *data;       // of a constant; NULL: bound, or absent
    int32_t at;             // index of the binding; -1: constant or absent
    bool present;
} ferry_operand;

/// Input `i` of the region's first node; `in` are the descriptions given to prepare.
ferry_operand ferry_operand_of(const ferry_region *region, const ferry_tensor_desc *in, int32_t i);
/// The same of its node `at`. What a node of the region makes is not bound.
ferry_operand ferry_operand_of_node(const ferry_region *region, const ferry_tensor_desc *in, int32_t at, int32_t i);

/// The index of the value among the region's inputs; -1 when it is none.
int32_t ferry_region_input(const ferry_region *region, ferry_value_id value);

/// Refuses what no family of single nodes can run: several nodes, sizes that only the data decides, a missing binding.
ferry_status ferry_region_check_single(const ferry_region *region, const char *tactic, const ferry_tensor_desc *in,
                                       const ferry_tensor_desc *out, ferry_error *err);
/// The same for regions of several nodes, whose only result is what the last one makes.
ferry_status ferry_region_check_border(const ferry_region *region, const char *tactic, const ferry_tensor_desc *in,
                                       const ferry_tensor_desc *out, ferry_error *err);
/// The answer to shapes, types or packed data that do not fit the tactic: FERRY_ERR_BAD_ENGINE.
ferry_status ferry_misfit(const char *tactic, const char *what, ferry_error *err);

// --- Offers ---------------------------------------------------------------------------------------------------------

/// The node may be looked at by a family: every input and output has a known shape that the data does not change, and
/// output 0 is used.
bool ferry_node_is_plain(const ferry_graph_view *view, ferry_node_id root);

/// Value of input i, or NULL when absent.
const ferry_value *ferry_node_value(const ferry_graph *graph, const ferry_node *node, int32_t i);
bool ferry_node_has_constant(const ferry_graph *graph, const ferry_node *node, int32_t i);
/// What makes a value that one node alone reads; FERRY_NO_NODE when more do, or the graph's user does.
ferry_node_id ferry_maker_for_one(const ferry_graph_view *view, ferry_value_id value);
/// Both are floats of one type and have one shape.
bool ferry_value_is_alike(const ferry_value *a, const ferry_value *b);
static inline const ferry_value *ferry_node_result(const ferry_graph *graph, const ferry_node *node)
{
    return &graph->values[node->outputs[0]];
}
/// A constant f32 vector of so many elements.
bool ferry_value_is_vector(const ferry_value *value, int64_t elements);
/// f32, and what is converted to it on the way in: f16 and bf16.
static inline bool ferry_dtype_widens_to_f32(ferry_dtype dtype)
{
    return dtype == FERRY_F32 || dtype == FERRY_F16 || dtype == FERRY_BF16;
}
/// A value as described in a layout at the graph's own shapes, which must be known. Constants are plain.
ferry_tensor_desc ferry_value_describe(const ferry_value *value, ferry_tensor_layout layout);
double ferry_value_elements(const ferry_value *value);
double ferry_value_bytes(const ferry_value *value);

/// Offers a tactic for the node alone.
ferry_status ferry_offer_node(const ferry_offer_sink *sink, const char *tactic, ferry_node_id root,
                              ferry_tensor_layout in_layout, ferry_tensor_layout out_layout, uint32_t flags,
                              double cost_us, ferry_error *err);
/// The same in every layout that the node's tensors can have, inputs and outputs alike.
ferry_status ferry_offer_layouts(const ferry_offer_sink *sink, const ferry_graph_view *view, const char *tactic,
                                 ferry_node_id root, uint32_t flags, double cost_us, ferry_error *err);

// --- Constants ------------------------------------------------------------------------------------------------------

/// Elements of a float constant as f32: the constant's own memory, or a widened copy of *out_owned_bytes in `heap`.
ferry_status ferry_constant_f32(const ferry_heap *heap, const ferry_value *value, const float **out,
                                size_t *out_owned_bytes, ferry_error *err);
void ferry_constant_free(const ferry_heap *heap, const float *elements, size_t owned_bytes);

/// The only element of input `i`; false unless it is a float constant of one element.
bool ferry_node_scalar(const ferry_graph *graph, const ferry_node *node, int32_t i, float *out);

#endif // FERRY_SRC_BACKEND_READING_NODE_H_
