// SPDX-License-Identifier: Apache-2.0
// A whole depthwise convolution of bf16 by pairs of lines: panel by panel of channels, a few pairs stay in the
// first-level cache while the window slides down. Its input may be the output of a pointwise convolution, which is then
// computed a panel and a line at a time, and never stored as a whole.
#ifndef FERRY_SRC_BACKEND_CPU_FILTER_BF16_H_
#define FERRY_SRC_BACKEND_CPU_FILTER_BF16_H_

#include "backend/cpu/depthwise_pairs_bf16.h"
#include "backend/cpu/gemm_half.h"
#include "backend/reading/conv_shape.h"
#include "base/thread_pool.h"

/// The pointwise convolution before.
typedef struct ferry_filter_expand {
    const ferry_gemm_half_row *row; // NULL: none
    const char *packed;             // borrowed
    size_t k;
    ferry_finish finish;
} ferry_filter_expand;

typedef struct ferry_filter_bf16 {
    const ferry_depthwise_pairs_row *row;
    ferry_conv_shape shape; // of the depthwise convolution
    ferry_depthwise_pairs_packing packing;
    const char *packed; // borrowed
    ferry_finish finish;
    ferry_filter_expand expand;
    size_t x_row; // elements from an input position to the next one
    int64_t x_line, x_batch;
    size_t y_row;  // the same of the output
    size_t blocks; // of output columns, so that their windows fit buffers
} ferry_filter_bf16;

/// Fills in shape, packing, *packed_bytes, blocks, and x_row, x_line and x_batch of an input that is not expanded.
/// False when it cannot be run so.
bool ferry_filter_bf16_plan(ferry_filter_bf16 *filter, const ferry_conv_shape *shape, bool expands,
                            size_t *packed_bytes);

void ferry_filter_bf16_run(const ferry_filter_bf16 *filter, ferry_thread_pool *pool, const uint16_t *x, uint16_t *y);

#endif // FERRY_SRC_BACKEND_CPU_FILTER_BF16_H_
