// SPDX-License-Identifier: Apache-2.0
// A whole 3x3 convolution by Winograd's filtering, in blocks of tiles that stay in a core's cache: windows to points, a
// matrix product for each point and panel of output channels, points to outputs.
#ifndef FERRY_SRC_BACKEND_CPU_WINOGRAD_PRODUCT_H_
#define FERRY_SRC_BACKEND_CPU_WINOGRAD_PRODUCT_H_

#include "backend/cpu/gemm_f32.h"
#include "backend/cpu/winograd.h"
#include "backend/reading/conv_shape.h"
#include "base/thread_pool.h"

typedef struct ferry_winograd_product {
    const ferry_winograd_row *row;
    const ferry_gemm_f32_row *gemm;
    size_t m; // of F(m x m, 3 x 3): 2 or 4
    ferry_conv_shape shape;
    ferry_finish finish;
    size_t elem_bytes;   // of the tensors
    size_t y_row, r_row; // elements from a position to the next one, of output and residual
    const void *zeros;   // c_in of them, borrowed
    // What ferry_winograd_product_plan fills in:
    size_t tiles_y, tiles_x, tiles; // of one picture down and across; of all pictures
    size_t block, blocks;           // tiles that go through all stages at a time
    size_t panels;                  // of output channels
    size_t v_row, v_step;           // floats from tile to tile, from point to point of transformed windows
    size_t p_row, p_step;           // the same of a panel's products
    size_t groups;                  // most blocks that may be at work at once
    size_t workspace_bytes;
} ferry_winograd_product;

/// True for 3x3 windows without strides, dilations and groups, over two spatial dimensions.
bool ferry_winograd_suits(const ferry_conv_shape *shape);

/// Fills in the plan for row, gemm, m and shape. False when a size overflows.
bool ferry_winograd_product_plan(ferry_winograd_product *product);

/// Floats of packed weights: biases first, rounded up to whole vectors, then panel by panel, in each one point's matrix
/// behind the other's. False on overflow.
bool ferry_winograd_packed_floats(const ferry_gemm_f32_row *gemm, size_t m, size_t c_in, size_t c_out, size_t *out);
/// Floats of scratch that packing needs.
size_t ferry_winograd_pack_scratch(const ferry_gemm_f32_row *gemm, size_t m, size_t c_in);
/// w: [c_out][c_in][3][3]; bias may be NULL.
void ferry_winograd_pack(const ferry_gemm_f32_row *gemm, size_t m, size_t c_in, size_t c_out, const float *w,
                         const float *bias, float *scratch, float *out);

/// x, y and r (NULL: no residual) are of the row's type, have their channels last.
void ferry_winograd_product_run(const ferry_winograd_product *product, ferry_thread_pool *pool, const void *x,
                                const float *packed, const void *r, void *y, void *workspace);

#endif // FERRY_SRC_BACKEND_CPU_WINOGRAD_PRODUCT_H_
