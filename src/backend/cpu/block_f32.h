// SPDX-License-Identifier: Apache-2.0
// Runs the convolutions of an inverted residual block (pointwise, depthwise, pointwise) together: a panel of wide
// channels is computed for a few lines, filtered while it is in the first-level cache, and only what the filter gives
// goes on, to the output or to the last product.
#ifndef FERRY_SRC_BACKEND_CPU_BLOCK_F32_H_
#define FERRY_SRC_BACKEND_CPU_BLOCK_F32_H_

#include "backend/cpu/depthwise_line_f32.h"
#include "backend/cpu/gemm_f32.h"
#include "backend/reading/conv_shape.h"
#include "base/thread_pool.h"

/// A pointwise convolution of the block.
typedef struct ferry_block_product {
    const float *packed; // borrowed
    size_t k, columns;
    ferry_finish finish;
} ferry_block_product;

typedef struct ferry_block_f32 {
    bool expands, projects; // which of the two are there
    ferry_block_product expand, project;
    const ferry_gemm_f32_row *row;
    ferry_depthwise_line_kernel line;
    ferry_conv_shape shape;        // of the depthwise convolution; its strides count only where nothing is expanded
    const float *depthwise_packed; // borrowed: biases, then taps, each of `padded` channels
    size_t padded;
    ferry_finish finish; // of the depthwise convolution
    // What ferry_block_f32_plan fills in:
    size_t strip;       // output lines computed in one go
    size_t ring, rings; // wide lines kept, and of how many panels
    size_t ring_floats, part_floats, parts;
} ferry_block_f32;

/// Decides on strips; *workspace_bytes for ferry_block_f32_run. False when it cannot be run so.
bool ferry_block_f32_plan(ferry_block_f32 *block, size_t *workspace_bytes);

/// x, y and r (NULL: none) have their channels last and lie dense. y: the last convolution's output.
void ferry_block_f32_run(const ferry_block_f32 *block, ferry_thread_pool *pool, const float *x, const float *r,
                         float *y, float *workspace);

#endif // FERRY_SRC_BACKEND_CPU_BLOCK_F32_H_
