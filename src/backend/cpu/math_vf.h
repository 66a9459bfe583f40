// SPDX-License-Identifier: Apache-2.0
// Elementary functions on vectors, after one of the simd headers: those of math_f32.h whose bounds and scaling no
// compiler turns into the few instructions that there are for them. Errors as in math_f32.h.
#ifndef FERRY_SRC_BACKEND_CPU_MATH_VF_H_
#define FERRY_SRC_BACKEND_CPU_MATH_VF_H_

static inline vf vf_clamp(vf t, float low, float high)
{
    return vf_at_most(vf_set1(high), vf_at_least(vf_set1(low), t));
}

static inline vf vf_exp_from(vf x, float low)
{
    x = vf_clamp(x, low, 89.0f); // beyond, the result is infinite anyway
    const vf n = vf_round(vf_mul(x, vf_set1(0x1.715476p+0f)));
    // ln 2 in two parts, the first of which has few bits so that n * part is exact.
    vf r = vf_fma(n, vf_set1(-0x1.62e4p-1f), x);
    r = vf_fma(n, vf_set1(-0x1.7f7d1cp-20f), r);
    vf q = vf_set1(0x1.6dbc64p-10f);
    q = vf_fma(q, r, vf_set1(0x1.124148p-7f));
    q = vf_fma(q, r, vf_set1(0x1.555454p-5f));
    q = vf_fma(q, r, vf_set1(0x1.555486p-3f));
    q = vf_fma(q, r, vf_set1(0.5f));
    q = vf_fma(q, r, vf_set1(1.0f));
    return vf_scale(vf_fma(q, r, vf_set1(1.0f)), n);
}

static inline vf vf_exp(vf x)
{
    return vf_exp_from(x, -104.0f); // below, the result is 0 anyway
}

// 1 + e^x. Subnormal powers, which some processors take a hundred times longer for, would add nothing to the 1.
static inline vf vf_one_plus_exp(vf x)
{
    return vf_add(vf_set1(1.0f), vf_exp_from(x, -87.0f));
}

static inline vf vf_sigmoid(vf x)
{
    return vf_div(vf_set1(1.0f), vf_one_plus_exp(vf_mul(x, vf_set1(-1.0f))));
}

// x * sigmoid(alpha * x)
static inline vf vf_swish(vf x, vf alpha)
{
    return vf_div(x, vf_one_plus_exp(vf_mul(x, vf_mul(alpha, vf_set1(-1.0f)))));
}

// x (1 + tanh w) / 2 = x / (1 + e^-2w) with w = sqrt(2 / pi) * (x + 0.044715 x^3)
static inline vf vf_gelu_tanh(vf x)
{
    const vf minus_2w = vf_mul(x, vf_fma(vf_mul(x, x), vf_set1(-0.0713548163f), vf_set1(-1.59576912f)));
    return vf_div(x, vf_one_plus_exp(minus_2w));
}

static inline vf vf_hard_sigmoid(vf x, vf alpha, vf beta)
{
    return vf_clamp(vf_fma(x, alpha, beta), 0.0f, 1.0f);
}

static inline vf vf_hard_swish(vf x)
{
    return vf_mul(x, vf_hard_sigmoid(x, vf_set1(1.0f / 6), vf_set1(0.5f)));
}

#endif // FERRY_SRC_BACKEND_CPU_MATH_VF_H_
