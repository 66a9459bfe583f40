// SPDX-License-Identifier: Apache-2.0
// ferry_finish on vectors; after one of the simd headers.
#include "backend/cpu/finish.h"
#include "backend/cpu/math_vf.h"

static inline vf vf_act(const ferry_finish *f, vf t)
{
    if (f->kind == FERRY_FINISH_LEAKY) return vf_if_negative(t, vf_mul(t, vf_set1(f->alpha)));
    if (f->kind == FERRY_FINISH_HARD_SWISH) return vf_fma(vf_hard_swish(t), vf_set1(f->alpha), vf_set1(f->beta));
    if (f->kind == FERRY_FINISH_HARD_SIGMOID) t = vf_fma(t, vf_set1(f->alpha), vf_set1(f->beta));
    return vf_at_most(vf_set1(f->high), vf_at_least(vf_set1(f->low), t));
}

static inline vf vf_act_residual(const ferry_finish *f, vf t, vf r)
{
    const vf mult = vf_set1(f->r_mult);
    return f->act_first ? vf_fma(r, mult, vf_act(f, t)) : vf_act(f, vf_fma(r, mult, t));
}
