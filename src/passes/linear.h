// SPDX-License-Identifier: Apache-2.0
// Convolutions and matrix products seen alike: something linear with constant weights, whose channels can be scaled.
#ifndef FERRY_SRC_PASSES_LINEAR_H_
#define FERRY_SRC_PASSES_LINEAR_H_

#include "passes/rewrite.h"

typedef enum ferry_linear_kind {
    FERRY_LINEAR_CONV = 0,       // Conv, FusedConv
    FERRY_LINEAR_TRANSPOSED = 1, // ConvTranspose
    FERRY_LINEAR_GEMM = 2        // FusedGemm
} ferry_linear_kind;

/// X is input 0, W input 1, the optional bias input 2. Nothing follows the bias: no activation, no residual.
typedef struct ferry_linear {
    ferry_node_id node;
    ferry_linear_kind kind;
    int64_t group, out_channels, in_channels;
    size_t weights; // elements of W
    bool trans_b;   // W is [out, in]; matrix products only
} ferry_linear;

/// False when the node is nothing of the kind, its weights or bias are not constant, or their shapes don't fit.
bool ferry_linear_of(const ferry_graph *graph, ferry_node_id node, ferry_linear *out);
int64_t ferry_linear_out_channel(const ferry_graph *graph, const ferry_linear *linear, size_t weight);
int64_t ferry_linear_in_channel(const ferry_graph *graph, const ferry_linear *linear, size_t weight);
/// The dimension of W that runs along output channels; -1 when none does (grouped ConvTranspose).
int32_t ferry_linear_channel_axis(const ferry_linear *linear);
/// True when output borders see padding, or taps are left out there: an offset of the input can't move into the bias.
bool ferry_linear_has_borders(const ferry_graph *graph, const ferry_linear *linear);

/// y' = y * scale[c] + shift[c] for each output channel, moved into weights and bias. *done stays false when a weight
/// would not be finite.
ferry_status ferry_linear_scale_outputs(ferry_graph *graph, const ferry_linear *linear, const double *scale,
                                        const double *shift, ferry_arena *scratch, bool *done, ferry_error *err);
/// x' = x * scale[c] + shift[c] for each input channel, moved into weights and bias. The caller has checked the
/// borders.
ferry_status ferry_linear_scale_inputs(ferry_graph *graph, const ferry_linear *linear, const double *scale,
                                       const double *shift, ferry_arena *scratch, bool *done, ferry_error *err);

/// A constant that, broadcast to a tensor of rank `rank`, changes along dimension `axis` (of size `count`) only: its
/// values along there, in `scratch`. NULL when it is anything else.
double *ferry_rewrite_per_channel(const ferry_graph *graph, ferry_value_id value, int32_t rank, int32_t axis,
                                  int64_t count, ferry_arena *scratch);

#endif // FERRY_SRC_PASSES_LINEAR_H_
