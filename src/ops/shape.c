// SPDX-License-Identifier: Apache-2.0
#include "ops/op.h"

extern const ferry_op ferry_ops_shape[];

const ferry_op ferry_ops_shape[] = {
    {.name = NULL},
};
