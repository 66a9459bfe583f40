// SPDX-License-Identifier: Apache-2.0
#include "ops/op.h"

extern const ferry_op ferry_ops_pool[];

const ferry_op ferry_ops_pool[] = {
    {.name = NULL},
};
