// SPDX-License-Identifier: Apache-2.0
// Chains of elementwise operators as CUDA text: what one kernel computes on the way from memory to memory, and what the
// store of a product takes in. Each node reads what the one before made; what else it reads is an operand.
//
// In the text a chain is one function of floats,
//     float ferry_chain(float v, float o0, float o1, ...)
// whose operands the kernel loads by their kind. Between nodes nothing is rounded.
#ifndef FERRY_SRC_BACKEND_CUDA_CHAIN_H_
#define FERRY_SRC_BACKEND_CUDA_CHAIN_H_

#include "backend/cuda/source.h"

#define FERRY_CUDA_CHAIN_NODES 10
#define FERRY_CUDA_CHAIN_OPERANDS 4

typedef enum ferry_cuda_operand_kind {
    FERRY_CUDA_SAME = 0,    // a tensor of the chain's shape, read at the same place
    FERRY_CUDA_CHANNEL = 1, // a constant: a float for each channel (dimension 1), packed as float[C]
    FERRY_CUDA_GATE = 2,    // a tensor [N, C, 1, ...]: an element for each picture and channel
} ferry_cuda_operand_kind;

typedef struct ferry_cuda_operand {
    ferry_cuda_operand_kind kind;
    ferry_value_id value;
    ferry_dtype dtype;
} ferry_cuda_operand;

typedef struct ferry_cuda_chain {
    ferry_node_id nodes[FERRY_CUDA_CHAIN_NODES]; // the first reads `from`
    ferry_value_id from, to;
    int32_t n_nodes, n_operands;
    ferry_cuda_operand operands[FERRY_CUDA_CHAIN_OPERANDS];
    double flops; // for an element, about
} ferry_cuda_chain;

/// The longest chain that ends in `root`, whose inner values nobody else reads: n_nodes == 0 when the node is none that
/// chains know. Shapes are known, all values float (f32, f16, bf16); a Cast between those is part of it.
/// Of an Add of two tensors the chain goes on through input `branch` (0 or 1), when that has a choice.
void ferry_cuda_chain_find(const ferry_graph_view *view, ferry_node_id root, int32_t branch, ferry_cuda_chain *out);

/// The last `n` nodes of a chain as one of their own.
void ferry_cuda_chain_tail(const ferry_graph *graph, const ferry_cuda_chain *chain, int32_t n, ferry_cuda_chain *out);

/// For pack and prepare: nodes [first, n_nodes) of the region as a chain that begins with `from`. False unless they are
/// one.
bool ferry_cuda_chain_read(const ferry_region *region, int32_t first, ferry_value_id from, ferry_cuda_chain *out);

/// Writes the function ferry_chain, and the macros FERRY_OPERANDS (how many floats it takes behind v) and
/// FERRY_EACH_OPERAND(F), which is F(index, kind, type) for each: kind as in ferry_cuda_operand_kind, type as kernels
/// name it. Before it the text has to include "types.cuh" and "functions.cuh". `before` (or NULL) is text that goes in
/// front of the nodes' own: it changes v.
void ferry_cuda_chain_write(const ferry_graph *graph, const ferry_cuda_chain *chain, const char *before,
                            ferry_cuda_source *source);

/// Floats of the chain's channel operands: `channels` each, in the order of the operands, at `out`. False when one is
/// not that long.
bool ferry_cuda_chain_pack(const ferry_graph *graph, const ferry_cuda_chain *chain, int64_t channels, float *out);
/// How many of the operands are of that kind.
int32_t ferry_cuda_chain_count(const ferry_cuda_chain *chain, ferry_cuda_operand_kind kind);

#endif // FERRY_SRC_BACKEND_CUDA_CHAIN_H_
