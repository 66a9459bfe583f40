// SPDX-License-Identifier: Apache-2.0
// The parts of the shape family: views (shape_views.c) and tensors made from shapes (shape_fill.c).
#ifndef FERRY_SRC_OPS_SHAPE_H_
#define FERRY_SRC_OPS_SHAPE_H_

#include "ops/op.h"

ferry_status ferry_reshape_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_squeeze_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_unsqueeze_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_flatten_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_identity_infer(ferry_infer *infer, ferry_error *err);
/// out[0] takes in[0]'s bytes.
ferry_status ferry_view_eval(const ferry_eval *eval, ferry_error *err);

ferry_status ferry_expand_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_expand_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_constant_of_shape_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_constant_of_shape_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_range_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_range_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_eye_like_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_eye_like_eval(const ferry_eval *eval, ferry_error *err);

#endif // FERRY_SRC_OPS_SHAPE_H_
