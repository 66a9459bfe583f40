// SPDX-License-Identifier: Apache-2.0
// Reading a convolution node, float or integer, for the families that run it: operands, geometry, epilogue, tail.
#ifndef FERRY_SRC_BACKEND_CPU_CONV_NODE_H_
#define FERRY_SRC_BACKEND_CPU_CONV_NODE_H_

#include "backend/cpu/finish.h"
#include "backend/cpu/node.h"
#include "backend/reading/conv_shape.h"

typedef struct ferry_conv_node {
    ferry_operand x, w, residual;
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

#endif // FERRY_SRC_BACKEND_CPU_CONV_NODE_H_
