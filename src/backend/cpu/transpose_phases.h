// SPDX-License-Identifier: Apache-2.0
// Transposed convolutions as ordinary ones: the outputs whose positions leave one remainder by the stride (a phase)
// meet the same taps of the filter, and among themselves are an ordinary convolution of the input with stride 1. So
// every output is summed in one place and written once.
#ifndef FERRY_SRC_BACKEND_CPU_TRANSPOSE_PHASES_H_
#define FERRY_SRC_BACKEND_CPU_TRANSPOSE_PHASES_H_

#include "backend/reading/conv_shape.h"

#define FERRY_TRANSPOSE_MOST_STRIDE 16 // along one dimension
#define FERRY_TRANSPOSE_NARROW 16      // most channels that lines are stacked to

/// What a phase takes of the filter along one dimension: `count` taps from `first` on, `step` apart. In the input they
/// lie `reach` apart, in the other order.
typedef struct ferry_phase_taps {
    int64_t first, step, count, reach;
} ferry_phase_taps;

/// What is known without the input's size, so that packed weights serve every size.
typedef struct ferry_transpose_filter {
    int64_t c_in, group, c_each, m_each;
    int64_t kernel[3], stride[3], dilation[3];
    /// Where windows lie side by side along the last dimension, their positions are taken for channels of their own:
    /// m_each counts them, kernel and stride are 1 there, and what one input position makes is stored in one piece.
    int64_t merged; // 1: not so
    /// The same of the dimension before it, where there are few channels: their lines are then stored one by one.
    int64_t stacked;                                       // 1: not so
    ferry_phase_taps taps[3][FERRY_TRANSPOSE_MOST_STRIDE]; // [stride]
} ferry_transpose_filter;

/// Trusts neither node nor weights' dimensions ([C, M / group, kernel...]). False: they do not fit together, or strides
/// are too large.
bool ferry_transpose_filter_read(const ferry_node *node, int32_t w_rank, const int64_t *w_dims,
                                 ferry_transpose_filter *out);

/// The phases along all dimensions.
static inline size_t ferry_transpose_phase_count(const ferry_transpose_filter *f)
{
    return (size_t)(f->stride[0] * f->stride[1] * f->stride[2]);
}
/// Weights that reach one output channel of the phase.
size_t ferry_transpose_phase_depth(const ferry_transpose_filter *f, size_t phase);
/// The filter's weights for a phase and a group as [column][tap][channel], taps in the ordinary convolution's order.
/// w: [C, M / group, kernel...], dense. out: m_each * depth elements.
void ferry_transpose_phase_weights(const ferry_transpose_filter *f, size_t phase, int64_t group, const float *w,
                                   float *out);

/// Where a phase's outputs lie along one dimension: first, first + stride, ...
typedef struct ferry_phase_places {
    int64_t first, count;
} ferry_phase_places;

typedef struct ferry_transpose_shape {
    int64_t batch, in[3], out[3], pad[3]; // out: as the filter sees it, which may have merged and stacked dimensions
} ferry_transpose_shape;

/// x and y as described, both with their channels last. False: they do not fit to node and filter.
bool ferry_transpose_shape_read(const ferry_node *node, const ferry_transpose_filter *f, const ferry_tensor_desc *x,
                                const ferry_tensor_desc *y, ferry_transpose_shape *out);
/// The phase as an ordinary convolution of an input with its channels last, and where its outputs lie.
void ferry_transpose_phase_conv(const ferry_transpose_filter *f, const ferry_transpose_shape *shape, size_t phase,
                                ferry_conv_shape *out, ferry_phase_places places[3]);

#endif // FERRY_SRC_BACKEND_CPU_TRANSPOSE_PHASES_H_
