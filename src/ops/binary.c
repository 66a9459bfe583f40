// SPDX-License-Identifier: Apache-2.0
#include "ops/op.h"

extern const ferry_op ferry_ops_binary[];

const ferry_op ferry_ops_binary[] = {
    {.name = NULL},
};
