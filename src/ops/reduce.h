// SPDX-License-Identifier: Apache-2.0
// The parts of the reduce family that have files of their own.
#ifndef FERRY_SRC_OPS_REDUCE_H_
#define FERRY_SRC_OPS_REDUCE_H_

#include "ops/op.h"

ferry_status ferry_arg_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_arg_max_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_arg_min_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_cum_sum_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_cum_sum_eval(const ferry_eval *eval, ferry_error *err);

#endif // FERRY_SRC_OPS_REDUCE_H_
