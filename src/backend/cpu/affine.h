// SPDX-License-Identifier: Apache-2.0
// Scales and shifts that stand alone in a graph: Mul, Div, Add and Sub with a constant of one element. Kernels take
// several of them at once, behind a function or a product, as one multiplication and one addition.
#ifndef FERRY_SRC_BACKEND_CPU_AFFINE_H_
#define FERRY_SRC_BACKEND_CPU_AFFINE_H_

#include "backend/cpu/node.h"

#define FERRY_AFFINE_NODES 4 // most that are taken together

typedef struct ferry_affine {
    double scale, shift; // y = x * scale + shift
} ferry_affine;

/// Follows *affine by what the node does to its only input that is not a constant, *out_x. False: it is none of these,
/// or leads beyond what floats can hold.
bool ferry_affine_follow(const ferry_graph *graph, const ferry_node *node, ferry_affine *affine, ferry_value_id *out_x);

/// The nodes that end in `root`, each reading what the one before makes for it alone, and all of one shape and type:
/// nodes[0] is the first of them. Returns how many.
int32_t ferry_affine_find(const ferry_graph_view *view, ferry_node_id root, ferry_node_id nodes[FERRY_AFFINE_NODES]);

/// For prepare: nodes [first, n_nodes) of the region, the first of which reads `x`. False unless they are such nodes,
/// each reading the one before.
bool ferry_affine_read(const ferry_region *region, int32_t first, ferry_value_id x, ferry_affine *out);

#endif // FERRY_SRC_BACKEND_CPU_AFFINE_H_
