// SPDX-License-Identifier: Apache-2.0
// What follows a sum of products, as docs/INT8.md defines it: activation, residual, rounding. Kernels of every backend
// are tested against these few lines.
#ifndef FERRY_SRC_OPS_EPILOGUE_H_
#define FERRY_SRC_OPS_EPILOGUE_H_

#include <math.h>

#include "ops/op.h"

typedef enum ferry_act {
    FERRY_ACT_NONE = 0,
    FERRY_ACT_RELU = 1,
    FERRY_ACT_CLIP = 2,
    FERRY_ACT_LEAKY_RELU = 3,
    FERRY_ACT_HARD_SIGMOID = 4
} ferry_act;

typedef struct ferry_epilogue {
    ferry_act act;
    float alpha, beta, gamma; // in units of the output's scale
    bool act_first;           // the residual is added after the activation
    float r_mult;             // real residual = r * r_mult, in units of the output's scale
} ferry_epilogue;

/// Reads act, act_alpha, act_beta, act_gamma, act_first and r_mult.
ferry_status ferry_epilogue_read(const ferry_node *node, ferry_epilogue *out, ferry_error *err);

/// The attributes that ferry_epilogue_read reads, for schemas.
#define FERRY_EPILOGUE_ATTRS                                                                                           \
    {"act", FERRY_ATTR_STRING, false}, {"act_alpha", FERRY_ATTR_FLOAT, false}, {"act_beta", FERRY_ATTR_FLOAT, false},  \
        {"act_gamma", FERRY_ATTR_FLOAT, false}, {"act_first", FERRY_ATTR_INT, false},                                  \
    {                                                                                                                  \
        "r_mult", FERRY_ATTR_FLOAT, false                                                                              \
    }

static inline float ferry_act_apply(const ferry_epilogue *e, float t)
{
    switch (e->act) {
    case FERRY_ACT_NONE:
        break;
    case FERRY_ACT_RELU:
        return t < 0.0f ? 0.0f : t;
    case FERRY_ACT_CLIP:
        t = t < e->alpha ? e->alpha : t;
        return t > e->beta ? e->beta : t;
    case FERRY_ACT_LEAKY_RELU:
        return t < 0.0f ? t * e->alpha : t;
    case FERRY_ACT_HARD_SIGMOID:
        t = fmaf(t, e->alpha, e->beta);
        t = t < 0.0f ? 0.0f : t;
        return t > e->gamma ? e->gamma : t;
    }
    return t;
}

static inline float ferry_epilogue_apply(const ferry_epilogue *e, float t)
{
    return ferry_act_apply(e, t);
}

static inline float ferry_epilogue_apply_residual(const ferry_epilogue *e, float t, float r)
{
    if (e->act_first) return fmaf(r, e->r_mult, ferry_act_apply(e, t));
    return ferry_act_apply(e, fmaf(r, e->r_mult, t));
}

/// NaN becomes 0; clamped to [-128, 127] as a float; rounded half to even (in the default rounding mode).
static inline int8_t ferry_sat8(float t)
{
    t = t == t ? t : 0.0f;
    t = t > -128.0f ? t : -128.0f;
    t = t < 127.0f ? t : 127.0f;
    return (int8_t)nearbyintf(t);
}

/// QuantizeLinear's rounding: to an integer first, then the zero point. NaN becomes the zero point.
static inline int8_t ferry_quantised(float t, int32_t zero)
{
    const float q = (t == t ? nearbyintf(t) : 0.0f) + (float)zero;
    return (int8_t)(q < -128.0f ? -128.0f : q > 127.0f ? 127.0f : q);
}

/// Input `i` of the node, or NULL when it is absent.
static inline const ferry_tensor *ferry_eval_optional(const ferry_eval *eval, int32_t i)
{
    return i < eval->node->n_inputs && eval->in[i].data ? &eval->in[i] : NULL;
}

/// Element type that the node stores: its attribute `to`, FERRY_S8 by default.
ferry_status ferry_epilogue_dtype(const ferry_node *node, ferry_dtype *out, ferry_error *err);
/// Stores t as sat8, or as the float type that the output has.
void ferry_epilogue_store(ferry_tensor *out, size_t i, float t);

#endif // FERRY_SRC_OPS_EPILOGUE_H_
