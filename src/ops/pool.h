// SPDX-License-Identifier: Apache-2.0
// Reference kernels of windowed pooling, for the table in pool.c.
#ifndef FERRY_SRC_OPS_POOL_H_
#define FERRY_SRC_OPS_POOL_H_

#include "ops/op.h"

ferry_status ferry_pool_infer(ferry_infer *infer, ferry_error *err);
ferry_status ferry_max_pool_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_average_pool_eval(const ferry_eval *eval, ferry_error *err);
ferry_status ferry_lp_pool_eval(const ferry_eval *eval, ferry_error *err);

#endif // FERRY_SRC_OPS_POOL_H_
