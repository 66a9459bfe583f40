// SPDX-License-Identifier: Apache-2.0
// Elementary functions on floats, without branches and calls, so that a compiler makes vectors of the loops around
// them. The file that includes it defines MADD(a, b, c), a * b + c with one or two roundings.
//
// Errors against the exact result, in units of the last place, found by tests/kernels/test_math_f32.c over all
// exponents: exp 2, expm1 2, sigmoid 3 (from -80 up), tanh 2, erf 3, log 1 (rounded up; with MADD rounding once). Those
// of gelu: less than 2e-7, above 1 less than that share of the result. NaN gives NaN.
#ifndef FERRY_SRC_BACKEND_CPU_MATH_F32_H_
#define FERRY_SRC_BACKEND_CPU_MATH_F32_H_

#include <math.h>

#include "base/f16.h"

#define MATH_INLINE static inline __attribute__((always_inline))

/// e^x = scale * (1 + p), where scale is made of two factors so that results below 2^-126 are right too.
typedef struct math_exp_parts {
    float p, scale_a, scale_b;
} math_exp_parts;

MATH_INLINE float math_pow2(int32_t exponent)
{
    return ferry_f32_from_bits((uint32_t)(exponent + 127) << 23);
}

MATH_INLINE math_exp_parts math_exp_split(float x)
{
    // Beyond these bounds the result is 0 or infinite anyway; NaN passes both comparisons by.
    x = x < -104.0f ? -104.0f : x;
    x = x > 89.0f ? 89.0f : x;
    const float magic = 0x1.8p23f; // adding it rounds to an integer
    const float shifted = MADD(x, 0x1.715476p+0f, magic), n = shifted - magic;
    // The integer as bits: a NaN gives nonsense here, which is multiplied by NaN below.
    const int32_t exponent = (int32_t)(ferry_f32_bits(shifted) - ferry_f32_bits(magic));
    // ln 2 in two parts, the first of which has few bits so that n * part is exact.
    float r = MADD(n, -0x1.62e4p-1f, x);
    r = MADD(n, -0x1.7f7d1cp-20f, r);
    float q = 0x1.6dbc64p-10f; // least maximum error of (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2
    q = MADD(q, r, 0x1.124148p-7f);
    q = MADD(q, r, 0x1.555454p-5f);
    q = MADD(q, r, 0x1.555486p-3f);
    q = MADD(q, r, 0.5f);
    const int32_t half = exponent >> 1;
    return (math_exp_parts){MADD(r * r, q, r), math_pow2(half), math_pow2(exponent - half)};
}

MATH_INLINE float math_exp(float x)
{
    const math_exp_parts e = math_exp_split(x);
    return MADD(e.p, e.scale_a, e.scale_a) * e.scale_b;
}

MATH_INLINE float math_expm1(float x)
{
    const math_exp_parts e = math_exp_split(x);
    const float scale = e.scale_a * e.scale_b; // infinite above 2^127, where the 1 does not matter
    const float y = MADD(e.p, scale, scale - 1.0f);
    return x > 88.5f ? math_exp(x) - 1.0f : y;
}

MATH_INLINE float math_sigmoid(float x)
{
    return 1.0f / (1.0f + math_exp(-x));
}

MATH_INLINE float math_tanh(float x)
{
    const float a = fabsf(x), u = x * x;
    float p = 0x1.197b62p-9f; // (tanh x - x) / x^3 in x^2, |x| <= 0.625
    p = MADD(p, u, -0x1.0c213ep-7f);
    p = MADD(p, u, 0x1.6394d8p-6f);
    p = MADD(p, u, -0x1.b9ef7cp-5f);
    p = MADD(p, u, 0x1.11106cp-3f);
    p = MADD(p, u, -0x1.555554p-2f);
    const float small = MADD(p * u, x, x);
    const float large = copysignf(1.0f - 2.0f / (math_exp(2.0f * a) + 1.0f), x);
    return a < 0.625f ? small : large;
}

MATH_INLINE float math_erf(float x)
{
    const float a = fabsf(x), u = x * x;
    float p = 0x1.4ae4c6p-14f; // erf x / x in x^2, |x| <= 1
    p = MADD(p, u, -0x1.a485e8p-11f);
    p = MADD(p, u, 0x1.5419f4p-8f);
    p = MADD(p, u, -0x1.b7fbb4p-6f);
    p = MADD(p, u, 0x1.ce2d2p-4f);
    p = MADD(p, u, -0x1.81273ep-2f);
    p = MADD(p, u, 0x1.20dd74p+0f);
    const float small = p * x;
    const float b = a > 4.0f ? 4.0f : a;
    float t = -0x1.6bd826p-16f; // log(1 - erf x), 1 <= x <= 4
    t = MADD(t, b, 0x1.cec634p-12f);
    t = MADD(t, b, -0x1.138cccp-8f);
    t = MADD(t, b, 0x1.9d030ep-6f);
    t = MADD(t, b, -0x1.bc151ap-4f);
    t = MADD(t, b, -0x1.443566p-1f);
    t = MADD(t, b, -0x1.212c0ep+0f);
    t = MADD(t, b, 0x1.8a583ap-13f);
    const float large = copysignf(1.0f - math_exp(t), x);
    return a < 1.0f ? small : large;
}

// x times the share Q of the normal distribution below x. With Q(-a) = erfc(a / sqrt 2) / 2 = 1 / (2 p(a)^8) it is
// max(x, 0) - a Q(-a), a = |x|, so that no small result is the difference of large numbers.
MATH_INLINE float math_gelu(float x)
{
    const float a = fabsf(x) > 20.0f ? 20.0f : fabsf(x); // from 14 on, the rest is 0
    float p = 0x1.c254fep-24f;                           // least maximum error of p for a <= 5, in terms of the result
    p = MADD(p, a, -0x1.90a1b6p-20f);
    p = MADD(p, a, 0x1.81a144p-17f);
    p = MADD(p, a, -0x1.5f6a42p-15f);
    p = MADD(p, a, 0x1.1e16c4p-13f);
    p = MADD(p, a, 0x1.679ce4p-14f);
    p = MADD(p, a, 0x1.fec652p-11f);
    p = MADD(p, a, 0x1.1a2e78p-7f);
    p = MADD(p, a, 0x1.6ed348p-5f);
    p = MADD(p, a, 0x1.9882d6p-4f);
    p = MADD(p, a, 1.0f);
    p *= p;
    p *= p;
    p *= p;
    return (x > 0.0f ? x : 0.0f) - 0.5f * a / p;
}

MATH_INLINE float math_log(float x)
{
    // Subnormal numbers are scaled up; the rest of the work is on the fraction in [sqrt 1/2, sqrt 2).
    const float tiny = x < 0x1p-126f ? 0x1p23f : 1.0f;
    const uint32_t bits = ferry_f32_bits(x * tiny), above = bits - 0x3f3504f3u;
    const float n = (float)((int32_t)above >> 23) - (x < 0x1p-126f ? 23.0f : 0.0f);
    const float f = ferry_f32_from_bits((above & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
    float g = -0x1.38b4ccp-4f; // (log(1 + f) - f + f^2 / 2) / f^3
    g = MADD(g, f, 0x1.055b46p-3f);
    g = MADD(g, f, -0x1.0d8552p-3f);
    g = MADD(g, f, 0x1.22da22p-3f);
    g = MADD(g, f, -0x1.547244p-3f);
    g = MADD(g, f, 0x1.99a008p-3f);
    g = MADD(g, f, -0x1.000228p-2f);
    g = MADD(g, f, 0x1.555554p-2f);
    const float ff = f * f;
    float y = MADD(ff * f, g, n * -0x1.05c610p-29f); // ln 2 = 0x1.62e43p-1 - 0x1.05c61p-29
    y = MADD(ff, -0.5f, y) + f;
    y = MADD(n, 0x1.62e43p-1f, y);
    y = x == INFINITY ? INFINITY : y;
    y = x == 0.0f ? -INFINITY : y;
    return x < 0.0f || x != x ? NAN : y;
}

// log(1 + e^x)
MATH_INLINE float math_softplus(float x)
{
    const float e = math_exp(-fabsf(x)), u = 1.0f + e;
    // 1 + e was rounded: its error, relative to u, is what the logarithm lacks.
    const float log1p_e = math_log(u) + (e - (u - 1.0f)) / u;
    return (x > 0.0f ? x : x != x ? x : 0.0f) + log1p_e;
}

// x * tanh(log(1 + e^x)) = x * (w^2 - 1) / (w^2 + 1) with w = 1 + e^x
MATH_INLINE float math_mish(float x)
{
    const float e = math_exp(x > 20.0f ? 20.0f : x), n = e * (e + 2.0f);
    return x > 20.0f ? x : x * (n / (n + 2.0f));
}

#endif // FERRY_SRC_BACKEND_CPU_MATH_F32_H_
