// SPDX-License-Identifier: Apache-2.0
// What kernels do to a sum before they store it: activation and residual, brought into one form for vectors.
#ifndef FERRY_SRC_BACKEND_CPU_FINISH_H_
#define FERRY_SRC_BACKEND_CPU_FINISH_H_

#include "backend/cpu/elementwise_f32.h"
#include "ops/epilogue.h"

typedef enum ferry_finish_kind {
    FERRY_FINISH_CLAMP = 0,        // none, relu and clip: between low and high, which may be infinite
    FERRY_FINISH_LEAKY = 1,        // t < 0 ? t * alpha : t
    FERRY_FINISH_HARD_SIGMOID = 2, // fma(t, alpha, beta), then clamped
    FERRY_FINISH_LOOP = 3,         // `loop` over sums that lie in memory; for one vector it is a clamp without bounds
    FERRY_FINISH_HARD_SWISH = 4    // fma(hard swish of t, alpha, beta)
} ferry_finish_kind;

typedef struct ferry_finish {
    ferry_finish_kind kind;
    float low, high, alpha, beta;
    float r_mult;
    bool act_first; // the residual is added after the activation
    ferry_unary_f32_loop loop;
    float parameters[FERRY_UNARY_PARAMETERS]; // of `loop`
    const int8_t
        *table; // int8 results become what it has for them, at + 128; NULL: they stay. Products do it, by blocks
} ferry_finish;

/// Behind a loop comes the residual: kernels that run loops over what they have stored cannot do that.
static inline bool ferry_finish_adds_last(const ferry_finish *f, bool residual)
{
    return residual && f->act_first && f->kind == FERRY_FINISH_LOOP;
}

static inline ferry_finish ferry_finish_of(const ferry_epilogue *e)
{
    ferry_finish f = {.low = -INFINITY, .high = INFINITY, .r_mult = e->r_mult, .act_first = e->act_first};
    switch (e->act) {
    case FERRY_ACT_NONE:
        break;
    case FERRY_ACT_RELU:
        f.low = 0;
        break;
    case FERRY_ACT_CLIP:
        f.low = e->alpha;
        f.high = e->beta;
        break;
    case FERRY_ACT_LEAKY_RELU:
        f.kind = FERRY_FINISH_LEAKY;
        f.alpha = e->alpha;
        break;
    case FERRY_ACT_HARD_SIGMOID:
        f.kind = FERRY_FINISH_HARD_SIGMOID;
        f.alpha = e->alpha;
        f.beta = e->beta;
        f.low = 0;
        f.high = e->gamma;
        break;
    }
    return f;
}

#endif // FERRY_SRC_BACKEND_CPU_FINISH_H_
