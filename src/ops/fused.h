// SPDX-License-Identifier: Apache-2.0
// Reference kernels of the fused float operators, a file each, for the table in fused.c.
#ifndef FERRY_SRC_OPS_FUSED_H_
#define FERRY_SRC_OPS_FUSED_H_

#include "ops/op.h"

ferry_status ferry_fused_conv_eval(const ferry_eval *eval, ferry_error *err);
size_t ferry_fused_conv_scratch(const ferry_node *node, const ferry_tensor *in, const ferry_tensor *out);
ferry_status ferry_fused_gemm_eval(const ferry_eval *eval, ferry_error *err);

/// [..., K] x [K, N] (or [N, K] with transB; A [K, M] with transA) -> [..., N]. Used by QGemm too.
ferry_status ferry_fused_gemm_infer_shape(ferry_infer *infer, ferry_error *err);
/// One bias, multiplier ... per output channel: input `index`, when present, must be [count].
ferry_status ferry_infer_per_channel(const ferry_infer *infer, int32_t index, const char *what, int64_t count,
                                     ferry_error *err);
/// A residual, when present, has the shape of output 0.
ferry_status ferry_infer_residual(const ferry_infer *infer, int32_t index, ferry_error *err);

#endif // FERRY_SRC_OPS_FUSED_H_
