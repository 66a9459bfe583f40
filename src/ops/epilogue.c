// SPDX-License-Identifier: Apache-2.0
// Reading an epilogue's attributes and storing what it gives.
#include "ops/epilogue.h"

#include <string.h>

#include "ops/element.h"

ferry_status ferry_epilogue_read(const ferry_node *node, ferry_epilogue *out, ferry_error *err)
{
    static const char *const names[] = {"none", "relu", "clip", "leaky_relu", "hard_sigmoid"};
    const char *act = ferry_node_string(node, "act", "none");
    *out = (ferry_epilogue){
        .alpha = ferry_node_float(node, "act_alpha", 0.0f),
        .beta = ferry_node_float(node, "act_beta", 0.0f),
        .gamma = ferry_node_float(node, "act_gamma", 1.0f),
        .act_first = ferry_node_int(node, "act_first", 0) != 0,
        .r_mult = ferry_node_float(node, "r_mult", 1.0f),
    };
    for (size_t i = 0; i < FERRY_COUNT_OF(names); i++) {
        if (strcmp(act, names[i]) == 0) {
            out->act = (ferry_act)i;
            return FERRY_OK;
        }
    }
    return ferry_fail(err, FERRY_ERR_BAD_MODEL, "act '%s' is none of none, relu, clip, leaky_relu, hard_sigmoid", act);
}

ferry_status ferry_epilogue_dtype(const ferry_node *node, ferry_dtype *out, ferry_error *err)
{
    const int64_t to = ferry_node_int(node, "to", FERRY_S8);
    if (to != FERRY_S8 && to != FERRY_F32 && to != FERRY_F16 && to != FERRY_BF16)
        return ferry_fail(err, FERRY_ERR_BAD_MODEL, "attribute 'to' is %lld, not int8 or a float type", (long long)to);
    *out = (ferry_dtype)to;
    return FERRY_OK;
}

void ferry_epilogue_store(ferry_tensor *out, size_t i, float t)
{
    if (out->dtype == FERRY_S8)
        ((int8_t *)out->data)[i] = ferry_sat8(t);
    else if (out->dtype == FERRY_F32)
        ((float *)out->data)[i] = t;
    else
        ferry_store_f64(out, i, (double)t);
}
