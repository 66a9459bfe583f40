// SPDX-License-Identifier: Apache-2.0
// The scale of a conversion between floats and int8, for the kernels that take one in.
#ifndef FERRY_SRC_BACKEND_CPU_SCALE_NODE_H_
#define FERRY_SRC_BACKEND_CPU_SCALE_NODE_H_

#include "backend/cpu/node.h"

typedef struct ferry_scale_node {
    float scale;
    int32_t zero;
} ferry_scale_node;

/// The one scale and zero point of a QuantizeLinear to int8, or a DequantizeLinear from it; false when there are more,
/// or they are not constant.
bool ferry_scale_node_read(const ferry_graph *graph, const ferry_node *node, ferry_scale_node *out);

#endif // FERRY_SRC_BACKEND_CPU_SCALE_NODE_H_
