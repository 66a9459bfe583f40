// SPDX-License-Identifier: Apache-2.0
// Reading Resize and QResize nodes whose scales are constant.
#ifndef FERRY_SRC_BACKEND_READING_RESIZE_NODE_H_
#define FERRY_SRC_BACKEND_READING_RESIZE_NODE_H_

#include "backend/reading/node.h"
#include "ops/resize.h"

/// Options and axes of a Resize between tensors of these dims, all of whose positions lie inside the input. False when
/// it is another kind of Resize.
bool ferry_resize_node_read(const ferry_graph *graph, const ferry_node *node, const ferry_tensor_desc *x,
                            const ferry_tensor_desc *y, ferry_resize_options *options, ferry_resize_axis *axes);
/// The axis copies its input.
bool ferry_resize_axis_is_identity(const ferry_resize_axis *axis);
/// Element `i` of a float constant; false when the input is absent or has no such element.
bool ferry_resize_node_scale(const ferry_graph *graph, const ferry_node *node, int32_t input, int32_t i, double *out);

#endif // FERRY_SRC_BACKEND_READING_RESIZE_NODE_H_
