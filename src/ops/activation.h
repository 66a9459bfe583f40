// SPDX-License-Identifier: Apache-2.0
// The activations that need more than one formula of one input.
#ifndef FERRY_SRC_OPS_ACTIVATION_H_
#define FERRY_SRC_OPS_ACTIVATION_H_

#include "ops/op.h"

ferry_status ferry_clip_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_clip_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_prelu_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_prelu_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_shrink_eval(const ferry_eval *eval, ferry_error *err);

#endif // FERRY_SRC_OPS_ACTIVATION_H_
