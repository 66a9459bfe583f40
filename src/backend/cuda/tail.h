// SPDX-License-Identifier: Apache-2.0
// A product (convolution, matrix product) and what its store takes in: the node's own activation and residual, and the
// chain of elementwise operators behind it.
#ifndef FERRY_SRC_BACKEND_CUDA_TAIL_H_
#define FERRY_SRC_BACKEND_CUDA_TAIL_H_

#include "backend/cuda/node.h"

#define FERRY_CUDA_TAIL_NODES (1 + FERRY_CUDA_CHAIN_NODES)

typedef struct ferry_cuda_tail {
    ferry_node_id nodes[FERRY_CUDA_TAIL_NODES]; // the product first
    int32_t n_nodes;
    ferry_value_id y;       // what the last node makes
    ferry_cuda_chain chain; // behind the product; a residual of the product itself is its last operand
    char before[256];       // text of the product's own activation and residual, for ferry_cuda_chain_write
} ferry_cuda_tail;

/// For offers: the product that ends in `root`, or whose chain does; `branch` as for ferry_cuda_chain_find. False when
/// there is none. That the first node is one that the family runs is for `is_product` to say.
bool ferry_cuda_tail_find(const ferry_graph_view *view, ferry_node_id root, int32_t branch,
                          bool (*is_product)(const ferry_node *node), ferry_cuda_tail *out);

/// Has `offer` offer for each product that ends in `root`, or whose chain does: an addition has two sides.
ferry_status ferry_cuda_tail_offer(ferry_cuda_device *device, const ferry_graph_view *view, ferry_node_id root,
                                   bool (*is_product)(const ferry_node *node),
                                   ferry_status (*offer)(ferry_cuda_device *device, const ferry_graph_view *view,
                                                         const ferry_cuda_tail *product, const ferry_offer_sink *sink,
                                                         ferry_error *err),
                                   const ferry_offer_sink *sink, ferry_error *err);

/// For pack and prepare: the region as a product with its chain; false when it is none.
bool ferry_cuda_tail_read(const ferry_region *region, ferry_cuda_tail *out);

/// Bytes that a run reads and writes beside the product's input and weights.
double ferry_cuda_tail_bytes(const ferry_graph *graph, const ferry_cuda_tail *product);

/// Checks the tensors that the chain reads against the output: types, sizes, channels last (slices too), runs of
/// `width` elements aligned. With `rows` (matrix products) they are dense and plain.
bool ferry_cuda_tail_operands_fit(const ferry_region *region, const ferry_cuda_tail *product,
                                  const ferry_tensor_desc *in, const ferry_tensor_desc *out, bool rows, int width);
/// Elements from a position to the next one of a tensor with channels last, of which runs of `width` are aligned; 0
/// when it lies in another way, or is too large for kernels to count its elements.
int64_t ferry_cuda_row(const ferry_tensor_desc *desc, int width);

/// Passes address and row (elements from a position, or a picture, to the next one) of each operand, as operands.cuh
/// takes them; constants lie as float[channels] one behind the other from `constants_at` on.
void ferry_cuda_tail_pass_operands(ferry_cuda_launch *launch, const ferry_cuda_kernel *kernel,
                                   const ferry_region *region, const ferry_cuda_tail *product,
                                   const ferry_tensor_desc *in, int64_t channels, size_t constants_at);

/// Bytes of the chain's constants.
size_t ferry_cuda_tail_constant_bytes(const ferry_cuda_tail *product, int64_t channels);

#endif // FERRY_SRC_BACKEND_CUDA_TAIL_H_
