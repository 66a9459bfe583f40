// SPDX-License-Identifier: Apache-2.0
// Reference kernels of normalisations by mean and variance, for the table in norm.c.
#ifndef FERRY_SRC_OPS_NORM_H_
#define FERRY_SRC_OPS_NORM_H_

#include "ops/op.h"

/// Input `index`, when present and known, must be a vector with one element a channel (dimension 1 of input 0).
ferry_status ferry_norm_check_channels(const ferry_infer *infer, int32_t index, const char *what, ferry_error *err);

ferry_status ferry_instance_norm_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_instance_norm_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_group_norm_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_group_norm_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_mvn_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_mvn_eval(const ferry_eval *eval, ferry_error *err);

ferry_status ferry_layer_norm_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_layer_norm_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_rms_norm_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_rms_norm_eval(const ferry_eval *eval, ferry_error *err);

#endif // FERRY_SRC_OPS_NORM_H_
