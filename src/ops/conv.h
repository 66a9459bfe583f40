// SPDX-License-Identifier: Apache-2.0
// The convolution family: its reference kernels, a file each, for the table in conv.c, and geometry that backends
// share.
#ifndef FERRY_SRC_OPS_CONV_H_
#define FERRY_SRC_OPS_CONV_H_

#include "ops/window.h"

/// Input `index`, when present and known, must be a vector with one element a channel.
ferry_status ferry_conv_check_bias(const ferry_infer *infer, int32_t index, int64_t channels, ferry_error *err);

/// The geometry of a transposed convolution.
typedef struct ferry_transpose_sizes {
    ferry_window window; // pad_begin: what is cut in front; may be met by output_shape
    int64_t out[3];      // FERRY_DIM_UNKNOWN where the input's size is
} ferry_transpose_sizes;

/// kernel_dims: [n_spatial], of the weights; in: with 1 for missing dimensions in front.
ferry_status ferry_transpose_sizes_read(const ferry_node *node, int32_t n_spatial, const int64_t *kernel_dims,
                                        const int64_t in[3], ferry_transpose_sizes *out, ferry_error *err);

ferry_status ferry_conv_transpose_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_conv_transpose_eval(const ferry_eval *eval, ferry_error *err);
size_t ferry_conv_scratch(const ferry_node *node, const ferry_tensor *in, const ferry_tensor *out);

ferry_status ferry_conv_integer_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_conv_integer_eval(const ferry_eval *eval, ferry_error *err);

#endif // FERRY_SRC_OPS_CONV_H_
