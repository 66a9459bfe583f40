// SPDX-License-Identifier: Apache-2.0
// The geometry of sliding windows for ferry's own operators: pads are explicit, up to three spatial dimensions.
#ifndef FERRY_SRC_OPS_WINDOW_H_
#define FERRY_SRC_OPS_WINDOW_H_

#include "ops/op.h"

/// Always three spatial dimensions (depth, height, width): missing ones in front are 1.
typedef struct ferry_window {
    int32_t n_spatial; // that the node has, 1..3
    int64_t kernel[3], stride[3], dilation[3], pad_begin[3], pad_end[3];
    bool ceil_mode;
} ferry_window;

/// Reads kernel_shape (or takes `kernel_dims`, [n_spatial], when the attribute is absent), strides, dilations, pads,
/// ceil_mode.
ferry_status ferry_window_read(const ferry_node *node, int32_t n_spatial, const int64_t *kernel_dims, ferry_window *out,
                               ferry_error *err);
/// Output size along spatial dimension `axis` (0..2) for input size `in`; FERRY_DIM_UNKNOWN passes through.
/// FERRY_ERR_BAD_MODEL when the window does not fit.
ferry_status ferry_window_out(const ferry_window *window, int32_t axis, int64_t in, int64_t *out, ferry_error *err);
/// Spatial dims of a [N, C, spatial...] tensor as three.
void ferry_window_dims(const ferry_tensor *tensor, int64_t out[3]);

/// Output positions o in [*begin, *end) for which o * stride + k * dilation - pad lies inside an input of size `in`.
void ferry_window_valid(const ferry_window *window, int32_t axis, int64_t k, int64_t in, int64_t out_size,
                        int64_t *begin, int64_t *end);

/// Shape inference of Conv-like nodes: X [N, C, spatial], W [M, C / group, kernel] -> [N, M, out].
ferry_status ferry_window_infer_conv(ferry_infer *infer, ferry_error *err);

#endif // FERRY_SRC_OPS_WINDOW_H_
