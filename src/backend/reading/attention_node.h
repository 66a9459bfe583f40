// SPDX-License-Identifier: Apache-2.0
// Attention in a graph: softmax(scale * q k) v with all that exporters write around it, as one region.
//
// What only moves q, k and v (packed in one tensor or apart, in whatever order of dimensions) and the result becomes
// strides; factors on q, on k and on the scores become one scale. In INT8 engines the result may be quantised.
#ifndef FERRY_SRC_BACKEND_READING_ATTENTION_NODE_H_
#define FERRY_SRC_BACKEND_READING_ATTENTION_NODE_H_

#include "backend/reading/node.h"
#include "backend/reading/strided_view.h"

#define FERRY_ATTENTION_NODES 32
#define FERRY_ATTENTION_INPUTS 3

/// One of its matrices, a matrix for each batch.
typedef struct ferry_attention_matrix {
    int32_t at;                    // of the binding; -1: the result
    int64_t first;                 // element
    int64_t steps[FERRY_MAX_RANK]; // elements from batch to batch, along each of the batch dims
    int64_t row, column;           // elements from row to row, from column to column
} ferry_attention_matrix;

/// y[rows][columns] = softmax(scale * q[rows][depth] k[depth][keys]) v[keys][columns], for each batch.
typedef struct ferry_attention_node {
    size_t batches, rows, depth, keys, columns;
    int32_t rank; // of the batch dims
    int64_t dims[FERRY_MAX_RANK];
    ferry_attention_matrix q, k, v, y;
    float scale;
    const ferry_node *quantise; // QuantizeLinear between the product and the output; NULL: none
    ferry_dtype dtype;          // of q, k and v
} ferry_attention_node;

/// Where the matrix of that batch begins.
int64_t ferry_attention_offset(const ferry_attention_node *node, const ferry_attention_matrix *matrix, size_t batch);

/// Mul and Div by one constant number: which input is scaled, and by how much. False for everything else.
bool ferry_attention_factor(const ferry_graph *graph, const ferry_node *node, int32_t *input, double *factor);

/// The largest region of attention that ends in `root`, and what it is at the graph's own shapes; false when there is
/// none. `nodes` in topological order.
bool ferry_attention_find(const ferry_graph_view *view, ferry_node_id root, ferry_node_id *nodes, int32_t *n_nodes,
                          ferry_attention_node *out);

/// The region at these shapes; false when it is something else or its tensors do not fit. Element types inside are not
/// looked at.
bool ferry_attention_read(const ferry_region *region, const ferry_tensor_desc *in, const ferry_tensor_desc *out,
                          ferry_attention_node *node);

#endif // FERRY_SRC_BACKEND_READING_ATTENTION_NODE_H_
