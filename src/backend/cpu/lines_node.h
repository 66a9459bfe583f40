// SPDX-License-Identifier: Apache-2.0
// Which nodes work on whole lines of a tensor, and where their lines lie.
#ifndef FERRY_SRC_BACKEND_CPU_LINES_NODE_H_
#define FERRY_SRC_BACKEND_CPU_LINES_NODE_H_

#include "backend/cpu/lines_view.h"
#include "backend/cpu/node.h"

typedef enum ferry_lines_kind {
    FERRY_LINES_SOFTMAX,
    FERRY_LINES_LOG_SOFTMAX,
    FERRY_LINES_INSTANCE_NORM,
    FERRY_LINES_BATCH_NORM,
    FERRY_LINES_ARG_MAX,
    FERRY_LINES_MEAN,
    FERRY_LINES_SUM,
    FERRY_LINES_MAX
} ferry_lines_kind;

typedef struct ferry_lines_op {
    const char *op;
    ferry_lines_kind kind;
    double macs; // an element costs about as much as so many multiply-adds in a matrix product
    bool in_place;
} ferry_lines_op;

/// NULL when the node's operator is none of these.
const ferry_lines_op *ferry_lines_find(const ferry_node *node);

/// How the node sees its input. False when it is not one for the loops of lines.h: parameters that are not constant,
/// lines that do not lie as they need them, partial sums whose order would depend on the layout.
bool ferry_lines_read(const ferry_graph *graph, const ferry_node *node, const ferry_tensor_desc *x,
                      const ferry_tensor_desc *y, ferry_lines_view *view);

#endif // FERRY_SRC_BACKEND_CPU_LINES_NODE_H_
