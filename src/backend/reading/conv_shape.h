// SPDX-License-Identifier: Apache-2.0
// The geometry of a convolution, read from node and shapes and checked, for float and integer kernels alike.
#ifndef FERRY_SRC_BACKEND_READING_CONV_SHAPE_H_
#define FERRY_SRC_BACKEND_READING_CONV_SHAPE_H_

#include "backend/reading/node.h"
#include "ops/window.h"

typedef struct ferry_conv_shape {
    int64_t batch, c_in, c_out, group;
    int64_t c_each, m_each; // input / output channels of a group
    int64_t in[3], out[3];
    ferry_window window; // pads resolved
    int64_t taps;        // of the window
    int64_t out_plane;   // output positions of one picture
    // Of the input, in elements: between pictures, channels, and along the three spatial dimensions.
    int64_t x_batch, x_channel, x_step[3];
} ferry_conv_shape;

/// x, w and y as described; w_dims is [M, C / group, kernel...]. FERRY_ERR_BAD_ENGINE when they do not belong together.
ferry_status ferry_conv_shape_read(const ferry_node *node, const ferry_tensor_desc *x, int32_t w_rank,
                                   const int64_t *w_dims, const ferry_tensor_desc *y, ferry_conv_shape *out,
                                   ferry_error *err);

/// The same with a number of groups that is not the node's attribute.
ferry_status ferry_conv_shape_read_grouped(const ferry_node *node, const ferry_tensor_desc *x, int32_t w_rank,
                                           const int64_t *w_dims, int64_t group, const ferry_tensor_desc *y,
                                           ferry_conv_shape *out, ferry_error *err);

/// A 1x1 window without strides or pads: output positions are input positions.
bool ferry_conv_shape_is_pointwise(const ferry_conv_shape *shape);

/// For offers: the node's shapes are known, weights, biases and multipliers constant, a residual is not. Fills in the
/// geometry for inputs with channels last.
bool ferry_conv_node_is_offered(const ferry_graph_view *view, ferry_node_id root, ferry_conv_shape *shape);

/// The input that is the residual: 4 for QConv, 3 for FusedConv, none (-1) for Conv.
int32_t ferry_conv_residual_index(const ferry_node *node);

#endif // FERRY_SRC_BACKEND_READING_CONV_SHAPE_H_
