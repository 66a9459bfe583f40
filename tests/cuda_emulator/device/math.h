// SPDX-License-Identifier: Apache-2.0
// Arithmetic of CUDA C++. What hardware approximates is exact here.
#ifndef FERRY_TESTS_CUDA_EMULATOR_DEVICE_MATH_H_
#define FERRY_TESTS_CUDA_EMULATOR_DEVICE_MATH_H_

// float and double, under C's names and overloaded.
#define FERRY_MATH_1(name)                                                                                             \
    extern "C" double name(double) noexcept;                                                                           \
    extern "C" float name##f(float) noexcept;                                                                          \
    static inline float name(float x)                                                                                  \
    {                                                                                                                  \
        return name##f(x);                                                                                             \
    }
#define FERRY_MATH_2(name)                                                                                             \
    extern "C" double name(double, double) noexcept;                                                                   \
    extern "C" float name##f(float, float) noexcept;                                                                   \
    static inline float name(float x, float y)                                                                         \
    {                                                                                                                  \
        return name##f(x, y);                                                                                          \
    }
FERRY_MATH_1(acos)
FERRY_MATH_1(acosh)
FERRY_MATH_1(asin)
FERRY_MATH_1(asinh)
FERRY_MATH_1(atan)
FERRY_MATH_1(atanh)
FERRY_MATH_1(cbrt)
FERRY_MATH_1(ceil)
FERRY_MATH_1(cos)
FERRY_MATH_1(cosh)
FERRY_MATH_1(erf)
FERRY_MATH_1(erfc)
FERRY_MATH_1(exp)
FERRY_MATH_1(exp2)
FERRY_MATH_1(expm1)
FERRY_MATH_1(fabs)
FERRY_MATH_1(floor)
FERRY_MATH_1(log)
FERRY_MATH_1(log10)
FERRY_MATH_1(log1p)
FERRY_MATH_1(log2)
FERRY_MATH_1(nearbyint)
FERRY_MATH_1(rint)
FERRY_MATH_1(round)
FERRY_MATH_1(sin)
FERRY_MATH_1(sinh)
FERRY_MATH_1(sqrt)
FERRY_MATH_1(tan)
FERRY_MATH_1(tanh)
FERRY_MATH_1(trunc)
FERRY_MATH_2(atan2)
FERRY_MATH_2(copysign)
FERRY_MATH_2(fmax)
FERRY_MATH_2(fmin)
FERRY_MATH_2(fmod)
FERRY_MATH_2(hypot)
FERRY_MATH_2(pow)
FERRY_MATH_2(remainder)
#undef FERRY_MATH_1
#undef FERRY_MATH_2
extern "C" double fma(double, double, double) noexcept;
extern "C" float fmaf(float, float, float) noexcept;
extern "C" float ldexpf(float, int) noexcept;
extern "C" int abs(int) noexcept;
static inline float fma(float a, float b, float c)
{
    return fmaf(a, b, c);
}
static inline long long abs(long long x)
{
    return x < 0 ? -x : x;
}
static inline float abs(float x)
{
    return fabsf(x);
}
static inline double abs(double x)
{
    return fabs(x);
}
template <typename T> static inline bool isnan(T x)
{
    return __builtin_isnan(x);
}
template <typename T> static inline bool isinf(T x)
{
    return __builtin_isinf(x);
}
template <typename T> static inline bool isfinite(T x)
{
    return __builtin_isfinite(x);
}
template <typename T> static inline bool signbit(T x)
{
    return __builtin_signbit(x);
}

#define FERRY_MIN_MAX(result, a, b)                                                                                    \
    static inline result min(a x, b y)                                                                                 \
    {                                                                                                                  \
        return (result)x < (result)y ? (result)x : (result)y;                                                          \
    }                                                                                                                  \
    static inline result max(a x, b y)                                                                                 \
    {                                                                                                                  \
        return (result)x > (result)y ? (result)x : (result)y;                                                          \
    }
FERRY_MIN_MAX(int, int, int)
FERRY_MIN_MAX(unsigned, unsigned, unsigned)
FERRY_MIN_MAX(unsigned, int, unsigned)
FERRY_MIN_MAX(unsigned, unsigned, int)
FERRY_MIN_MAX(long, long, long)
FERRY_MIN_MAX(unsigned long, unsigned long, unsigned long)
FERRY_MIN_MAX(long long, long long, long long)
FERRY_MIN_MAX(unsigned long long, unsigned long long, unsigned long long)
#undef FERRY_MIN_MAX
static inline float min(float x, float y)
{
    return fminf(x, y);
}
static inline float max(float x, float y)
{
    return fmaxf(x, y);
}
static inline double min(double x, double y)
{
    return fmin(x, y);
}
static inline double max(double x, double y)
{
    return fmax(x, y);
}

#define FERRY_ALIAS_1(name, expression)                                                                                \
    static inline float name(float x)                                                                                  \
    {                                                                                                                  \
        return expression;                                                                                             \
    }
#define FERRY_ALIAS_2(name, expression)                                                                                \
    static inline float name(float x, float y)                                                                         \
    {                                                                                                                  \
        return expression;                                                                                             \
    }
FERRY_ALIAS_1(rsqrtf, 1.0f / sqrtf(x))
FERRY_ALIAS_1(rsqrt, 1.0f / sqrtf(x))
FERRY_ALIAS_1(__frsqrt_rn, (float)(1.0 / sqrt((double)x)))
FERRY_ALIAS_1(__fsqrt_rn, sqrtf(x))
FERRY_ALIAS_1(__frcp_rn, 1.0f / x)
FERRY_ALIAS_1(__expf, expf(x))
FERRY_ALIAS_1(__exp10f, powf(10.0f, x))
FERRY_ALIAS_1(__logf, logf(x))
FERRY_ALIAS_1(__log2f, log2f(x))
FERRY_ALIAS_1(__log10f, log10f(x))
FERRY_ALIAS_1(__sinf, sinf(x))
FERRY_ALIAS_1(__cosf, cosf(x))
FERRY_ALIAS_1(__tanf, tanf(x))
FERRY_ALIAS_1(__saturatef, fminf(fmaxf(x, 0.0f), 1.0f))
FERRY_ALIAS_1(exp2_fast, exp2f(x))
FERRY_ALIAS_1(tanh_fast, tanhf(x))
FERRY_ALIAS_1(fast_rcp, 1.0f / x)
FERRY_ALIAS_2(__fdividef, x / y)
FERRY_ALIAS_2(__powf, powf(x, y))
FERRY_ALIAS_2(__fadd_rn, x + y)
FERRY_ALIAS_2(__fsub_rn, x - y)
FERRY_ALIAS_2(__fmul_rn, x *y)
FERRY_ALIAS_2(__fdiv_rn, x / y)
#undef FERRY_ALIAS_1
#undef FERRY_ALIAS_2
static inline float __fmaf_rn(float a, float b, float c)
{
    return fmaf(a, b, c);
}

// Conversions saturate, and make 0 of what is no number.
template <typename To> static inline To ferry_saturate(double x)
{
    const To most = (To)((To)-1 > 0 ? (To)-1 : (To)((1ull << (8 * sizeof(To) - 1)) - 1));
    const To least = (To)-1 > 0 ? (To)0 : (To)(-most - 1);
    if (x != x) return 0;
    if (x >= (double)most) return most;
    return x <= (double)least ? least : (To)x;
}
#define FERRY_CONVERT(name, from, to, rounding)                                                                        \
    static inline to name(from x)                                                                                      \
    {                                                                                                                  \
        return ferry_saturate<to>(rounding((double)x));                                                                \
    }
FERRY_CONVERT(__float2int_rn, float, int, rint)
FERRY_CONVERT(__float2int_rz, float, int, trunc)
FERRY_CONVERT(__float2int_rd, float, int, floor)
FERRY_CONVERT(__float2int_ru, float, int, ceil)
FERRY_CONVERT(__float2uint_rn, float, unsigned, rint)
FERRY_CONVERT(__float2uint_rz, float, unsigned, trunc)
FERRY_CONVERT(__float2ll_rn, float, long long, rint)
FERRY_CONVERT(__float2ll_rz, float, long long, trunc)
FERRY_CONVERT(__double2int_rn, double, int, rint)
FERRY_CONVERT(__double2int_rz, double, int, trunc)
FERRY_CONVERT(__double2ll_rn, double, long long, rint)
FERRY_CONVERT(__double2ll_rz, double, long long, trunc)
#undef FERRY_CONVERT
static inline float __int2float_rn(int x)
{
    return (float)x;
}
static inline float __uint2float_rn(unsigned x)
{
    return (float)x;
}
static inline float __ll2float_rn(long long x)
{
    return (float)x;
}
static inline float __double2float_rn(double x)
{
    return (float)x;
}

#endif // FERRY_TESTS_CUDA_EMULATOR_DEVICE_MATH_H_
