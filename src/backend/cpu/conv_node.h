// SPDX-License-Identifier: Apache-2.0
// Reading a convolution node, float or integer, for the families that run it: operands, geometry, epilogue, tail.
#ifndef FERRY_SRC_BACKEND_CPU_CONV_NODE_H_
#define FERRY_SRC_BACKEND_CPU_CONV_NODE_H_

#include "backend/cpu/conv_shape.h"
#include "backend/cpu/finish.h"
#include "backend/cpu/node.h"

typedef struct ferry_conv_node {
    ferry_cpu_operand x, w, residual;
    ferry_conv_shape shape;
    ferry_finish finish;
    bool x_channels_last; // the output always is, and the residual too
    size_t y_row, r_row;  // elements from a position to the next one, of output and residual
} ferry_conv_node;

/// For prepare: checks everything but element types and packed weights. Conv, FusedConv and QConv, the former two with
/// a tail (tail.h).
ferry_status ferry_conv_node_read(const ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                                  const ferry_tensor_desc *in, const ferry_tensor_desc *out, ferry_conv_node *node,
                                  ferry_error *err);

/// The same for kernels that read and write slices (FERRY_OFFER_READS_SLICES): shape, y_row and r_row say how far apart
/// positions lie.
ferry_status ferry_conv_node_read_slices(const ferry_cpu_device *device, const ferry_region *region, const char *tactic,
                                         const ferry_tensor_desc *in, const ferry_tensor_desc *out,
                                         ferry_conv_node *node, ferry_error *err);

/// For offers: the node's shapes are known, weights, biases and multipliers constant, a residual is not. Fills in the
/// geometry for inputs with channels last.
bool ferry_conv_node_is_offered(const ferry_graph_view *view, ferry_node_id root, ferry_conv_shape *shape);

/// The input that is the residual: 4 for QConv, 3 for FusedConv, none (-1) for Conv.
int32_t ferry_conv_residual_index(const ferry_node *node);

/// Dense strides in that layout.
bool ferry_tensor_desc_is_dense(const ferry_tensor_desc *desc, ferry_tensor_layout layout);
bool ferry_tensor_desc_same_dims(const ferry_tensor_desc *a, const ferry_tensor_desc *b);

#endif // FERRY_SRC_BACKEND_CPU_CONV_NODE_H_
