// SPDX-License-Identifier: Apache-2.0
// Functions of one float as ONNX defines them, for chains of elementwise operators and the stores of products.
#pragma once
#include "primitives.cuh"

FERRY_INLINE float fn_exp(float x) { return expf(x); }
FERRY_INLINE float fn_clip(float x, float lo, float hi)
{
    x = x < lo ? lo : x; // NaN stays, as with ONNX's reference
    return x > hi ? hi : x;
}
FERRY_INLINE float fn_relu(float x) { return x < 0.0f ? 0.0f : x; }
FERRY_INLINE float fn_leaky_relu(float x, float alpha) { return x < 0.0f ? x * alpha : x; }
FERRY_INLINE float fn_thresholded_relu(float x, float alpha) { return x > alpha ? x : 0.0f; }
FERRY_INLINE float fn_hard_sigmoid(float x, float alpha, float beta)
{
    return fn_clip(fmaf(x, alpha, beta), 0.0f, 1.0f);
}
FERRY_INLINE float fn_hard_swish(float x) { return x * fn_clip(fmaf(x, 1.0f / 6.0f, 0.5f), 0.0f, 1.0f); }
FERRY_INLINE float fn_sigmoid(float x) { return __fdividef(1.0f, 1.0f + __expf(-x)); }
FERRY_INLINE float fn_swish(float x, float alpha)
{
    // __fdividef gives 0 for divisors beyond 2^126, which is the limit of x / (1 + e^-x) there.
    return __fdividef(x, 1.0f + __expf(-alpha * x));
}
FERRY_INLINE float fn_tanh(float x) { return tanhf(x); }
FERRY_INLINE float fn_softplus(float x) { return fmaxf(x, 0.0f) + log1pf(__expf(-fabsf(x))); }
FERRY_INLINE float fn_softsign(float x) { return x / (1.0f + fabsf(x)); }
FERRY_INLINE float fn_mish(float x) { return x * tanhf(fn_softplus(x)); }
FERRY_INLINE float fn_elu(float x, float alpha) { return x < 0.0f ? alpha * expm1f(x) : x; }
FERRY_INLINE float fn_selu(float x, float alpha, float gamma) { return gamma * (x > 0.0f ? x : alpha * expm1f(x)); }
FERRY_INLINE float fn_celu(float x, float alpha)
{
    return fmaxf(0.0f, x) + fminf(0.0f, alpha * expm1f(x / alpha));
}
FERRY_INLINE float fn_erf(float x) { return erff(x); }
FERRY_INLINE float fn_gelu_erf(float x) { return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f)); }
FERRY_INLINE float fn_gelu_tanh(float x)
{
    return 0.5f * x * (1.0f + tanhf(0.7978845608028654f * (x + 0.044715f * x * x * x)));
}
FERRY_INLINE float fn_log(float x) { return logf(x); }
FERRY_INLINE float fn_sqrt(float x) { return sqrtf(x); }
FERRY_INLINE float fn_reciprocal(float x) { return 1.0f / x; }
FERRY_INLINE float fn_abs(float x) { return fabsf(x); }
FERRY_INLINE float fn_neg(float x) { return -x; }
FERRY_INLINE float fn_sign(float x) { return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x; }
FERRY_INLINE float fn_floor(float x) { return floorf(x); }
FERRY_INLINE float fn_ceil(float x) { return ceilf(x); }
FERRY_INLINE float fn_round(float x) { return rintf(x); }
FERRY_INLINE float fn_square(float x) { return x * x; }
FERRY_INLINE float fn_cube(float x) { return x * x * x; }
FERRY_INLINE float fn_add(float a, float b) { return a + b; }
FERRY_INLINE float fn_sub(float a, float b) { return a - b; }
FERRY_INLINE float fn_mul(float a, float b) { return a * b; }
FERRY_INLINE float fn_div(float a, float b) { return a / b; }
FERRY_INLINE float fn_max(float a, float b) { return a != a || b != b ? a + b : a > b ? a : b; }
FERRY_INLINE float fn_min(float a, float b) { return a != a || b != b ? a + b : a < b ? a : b; }
FERRY_INLINE float fn_prelu(float x, float slope) { return x < 0.0f ? x * slope : x; }
