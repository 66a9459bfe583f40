// SPDX-License-Identifier: Apache-2.0
// What data movers copy: each operator as a list of strided copies.
#ifndef FERRY_SRC_BACKEND_READING_MOVE_PLAN_H_
#define FERRY_SRC_BACKEND_READING_MOVE_PLAN_H_

#include "backend/reading/node.h"
#include "backend/reading/strided_copy.h"

/// One copy between an input and an output of the node.
typedef struct ferry_move {
    int32_t input, output; // of the node
    ferry_strided_copy copy;
} ferry_move;

/// A node with its tensors as they lie; x and y of absent or unused ones have rank -1.
typedef struct ferry_move_node {
    const ferry_graph *graph;
    const ferry_node *node;
    const ferry_tensor_desc *x, *y; // [n_inputs], [n_outputs]
} ferry_move_node;

/// Moves that the node takes at most; 0: not an operator that is known here.
int32_t ferry_move_most(const ferry_node *node);
/// Fills in the moves, their number in *out_count. *out_fills: output 0 is filled with *out_value (the element's bytes)
/// before. False when shapes or parameters are not such as these copies can do, or do not fit together.
bool ferry_move_plan(const ferry_move_node *node, ferry_move *out, int32_t *out_count, bool *out_fills,
                     uint64_t *out_value);

#endif // FERRY_SRC_BACKEND_READING_MOVE_PLAN_H_
