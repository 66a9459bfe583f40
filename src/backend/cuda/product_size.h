// SPDX-License-Identifier: Apache-2.0
// Sizes that a product's text, packed constants and launches have to agree on.
#ifndef FERRY_SRC_BACKEND_CUDA_PRODUCT_SIZE_H_
#define FERRY_SRC_BACKEND_CUDA_PRODUCT_SIZE_H_

#include "backend/cuda/product.h"

typedef struct ferry_cuda_product_size {
    int64_t depth;            // channels in whole chunks of 16 bytes
    int64_t steps;            // tiles along a row: of 128 bytes
    int64_t width, length;    // columns, and elements of a row, in whole tiles
    size_t bias_at, chain_at; // behind the weights, in bytes; behind the bias of int8 products lie factors and table
    size_t constant_bytes;    // of it all
    int stages, threads;      // as used on that chip
    bool cluster;             // the blocks that share a tile are one
    size_t shared_bytes;      // of a block
    int resident;             // blocks that a multiprocessor is to hold, of tiles of warpgroups; 0: as many as it can
} ferry_cuda_product_size;

/// False when they are beyond what kernels count in.
bool ferry_cuda_product_sizes(const ferry_cuda_target *target, const ferry_cuda_product *product,
                              const ferry_cuda_tile *tile, ferry_cuda_product_size *out);

/// Bytes that copies of the left side have; 0: element by element, wherever channels lie.
int ferry_cuda_product_vector(const ferry_cuda_product *product);

#endif // FERRY_SRC_BACKEND_CUDA_PRODUCT_SIZE_H_
