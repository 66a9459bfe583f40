// SPDX-License-Identifier: Apache-2.0
// Which loop computes a function of one tensor, for kernels of its own and for the stores that take it in.
#ifndef FERRY_SRC_BACKEND_CPU_UNARY_NODE_H_
#define FERRY_SRC_BACKEND_CPU_UNARY_NODE_H_

#include "backend/cpu/elementwise_f32.h"
#include "backend/cpu/node.h"

typedef struct ferry_unary_node {
    ferry_unary_f32 loop;
    float parameters[FERRY_UNARY_PARAMETERS];
    double macs; // an element costs about as much as so many multiply-adds in a matrix product
} ferry_unary_node;

/// The function that the node applies to its input 0; false when there is no loop for it.
bool ferry_unary_node_read(const ferry_graph *graph, const ferry_node *node, ferry_unary_node *out);

#endif // FERRY_SRC_BACKEND_CPU_UNARY_NODE_H_
