// SPDX-License-Identifier: Apache-2.0
// Reference kernels of the convolution family, a file each, for the table in conv.c.
#ifndef FERRY_SRC_OPS_CONV_H_
#define FERRY_SRC_OPS_CONV_H_

#include "ops/op.h"

/// Input `index`, when present and known, must be a vector with one element a channel.
ferry_status ferry_conv_check_bias(const ferry_infer *infer, int32_t index, int64_t channels, ferry_error *err);

ferry_status ferry_conv_transpose_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_conv_transpose_eval(const ferry_eval *eval, ferry_error *err);
size_t ferry_conv_scratch(const ferry_node *node, const ferry_tensor *in, const ferry_tensor *out);

ferry_status ferry_conv_integer_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_conv_integer_eval(const ferry_eval *eval, ferry_error *err);

#endif // FERRY_SRC_OPS_CONV_H_
