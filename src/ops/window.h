// SPDX-License-Identifier: Apache-2.0
// The geometry of sliding windows, for convolution and pooling in float and in integers: up to three spatial
// dimensions.
#ifndef FERRY_SRC_OPS_WINDOW_H_
#define FERRY_SRC_OPS_WINDOW_H_

#include "ops/op.h"

typedef enum ferry_auto_pad {
    FERRY_AUTO_PAD_NOTSET, // the pads are those of the attribute
    FERRY_AUTO_PAD_SAME_UPPER,
    FERRY_AUTO_PAD_SAME_LOWER,
    FERRY_AUTO_PAD_VALID // none
} ferry_auto_pad;

/// Always three spatial dimensions (depth, height, width): missing ones in front are 1.
typedef struct ferry_window {
    int32_t n_spatial; // that the node has, 1..3
    int64_t kernel[3], stride[3], dilation[3], pad_begin[3], pad_end[3];
    bool ceil_mode;
    ferry_auto_pad auto_pad; // SAME_*: the pads follow from the input's size, see ferry_window_resolve
} ferry_window;

/// Reads kernel_shape (or takes `kernel_dims`, [n_spatial], when the attribute is absent; an unknown one stays
/// unknown), strides, dilations, pads, auto_pad, ceil_mode.
ferry_status ferry_window_read(const ferry_node *node, int32_t n_spatial, const int64_t *kernel_dims, ferry_window *out,
                               ferry_error *err);
/// Sets the pads that auto_pad asks for, for input sizes `in`; explicit ones stay as they are. A kernel calls it before
/// it looks at the pads.
void ferry_window_resolve(ferry_window *window, const int64_t in[3]);
/// Output size along spatial dimension `axis` (0..2) for input size `in`; FERRY_DIM_UNKNOWN passes through.
/// FERRY_ERR_BAD_MODEL when the window does not fit.
ferry_status ferry_window_out(const ferry_window *window, int32_t axis, int64_t in, int64_t *out, ferry_error *err);
/// Spatial dims of a [N, C, spatial...] tensor as three.
void ferry_window_dims(const ferry_tensor *tensor, int64_t out[3]);

/// Output positions o in [*begin, *end) for which o * stride + k * dilation - pad lies inside an input of size `in`.
void ferry_window_valid(const ferry_window *window, int32_t axis, int64_t k, int64_t in, int64_t out_size,
                        int64_t *begin, int64_t *end);

/// Shape inference of Conv-like nodes: X [N, C, spatial], W [M, C / group, kernel] -> [N, M, out]. Types are the
/// caller's.
ferry_status ferry_window_infer_conv(ferry_infer *infer, ferry_error *err);

#endif // FERRY_SRC_OPS_WINDOW_H_
