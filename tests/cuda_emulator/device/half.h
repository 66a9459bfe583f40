// SPDX-License-Identifier: Apache-2.0
// f16 and bf16 as bits, with the rounding of hardware.
#ifndef FERRY_TESTS_CUDA_EMULATOR_DEVICE_HALF_H_
#define FERRY_TESTS_CUDA_EMULATOR_DEVICE_HALF_H_

static inline float f16_to_f32(unsigned short h)
{
    const unsigned sign = (h & 0x8000u) << 16, rest = h & 0x7fffu;
    if (rest >= 0x7c00) return __uint_as_float(sign | 0x7f800000u | (rest & 0x3ff) << 13);
    return __uint_as_float(sign | __float_as_uint(__uint_as_float(rest << 13) * 0x1p112f)); // exact
}

/// To nearest, ties to even.
static inline unsigned short ferry_f16_of(double x)
{
    const unsigned short sign = __builtin_signbit(x) ? 0x8000 : 0;
    if (x != x) return 0x7fff;
    const double magnitude = fabs(x);
    if (magnitude >= 65520.0) return sign | 0x7c00;
    if (magnitude < 0x1p-14) return (unsigned short)(sign | (unsigned)rint(magnitude * 0x1p24));
    const int exponent = (int)((unsigned long long)__double_as_longlong(magnitude) >> 52) - 1023;
    const double quantum = __longlong_as_double((long long)(exponent - 10 + 1023) << 52);
    const unsigned steps = (unsigned)rint(magnitude / quantum); // 1024 to 2048; the last carries into the exponent
    return (unsigned short)(sign | (((unsigned)(exponent + 15) << 10) + steps - 1024));
}

static inline unsigned short f32_to_f16(float x)
{
    return ferry_f16_of(x);
}

static inline float bf16_to_f32(unsigned short b)
{
    return __uint_as_float((unsigned)b << 16);
}

static inline unsigned short f32_to_bf16(float x)
{
    const unsigned bits = __float_as_uint(x);
    if (x != x) return 0x7fff;
    return (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static inline unsigned pack_f16(float low, float high)
{
    return f32_to_f16(low) | (unsigned)f32_to_f16(high) << 16;
}
static inline unsigned pack_bf16(float low, float high)
{
    return f32_to_bf16(low) | (unsigned)f32_to_bf16(high) << 16;
}
static inline float f16_low(unsigned pair)
{
    return f16_to_f32((unsigned short)pair);
}
static inline float f16_high(unsigned pair)
{
    return f16_to_f32((unsigned short)(pair >> 16));
}
static inline float bf16_low(unsigned pair)
{
    return bf16_to_f32((unsigned short)pair);
}
static inline float bf16_high(unsigned pair)
{
    return bf16_to_f32((unsigned short)(pair >> 16));
}

// In double, sums and products of f16 are exact wherever that decides how the result is rounded: a product has 22 bits,
// so it, the addend and the tie between two results lie less than 53 bits apart, or the lesser one decides nothing.
#if __CUDA_ARCH__ >= 530
static inline unsigned fma_f16x2(unsigned a, unsigned b, unsigned c)
{
    const unsigned low = ferry_f16_of((double)f16_low(a) * f16_low(b) + f16_low(c));
    return low | (unsigned)ferry_f16_of((double)f16_high(a) * f16_high(b) + f16_high(c)) << 16;
}
static inline unsigned add_f16x2(unsigned a, unsigned b)
{
    const unsigned low = ferry_f16_of((double)f16_low(a) + f16_low(b));
    return low | (unsigned)ferry_f16_of((double)f16_high(a) + f16_high(b)) << 16;
}
static inline unsigned mul_f16x2(unsigned a, unsigned b)
{
    const unsigned low = ferry_f16_of((double)f16_low(a) * f16_low(b));
    return low | (unsigned)ferry_f16_of((double)f16_high(a) * f16_high(b)) << 16;
}
#endif
#if __CUDA_ARCH__ >= 800
static inline unsigned max_f16x2(unsigned a, unsigned b)
{
    return pack_f16(fmaxf(f16_low(a), f16_low(b)), fmaxf(f16_high(a), f16_high(b)));
}
static inline float ferry_max_nan(float a, float b)
{
    return a != a || b != b ? __uint_as_float(0x7fffffff) : fmaxf(a, b);
}
static inline unsigned max_nan_f16x2(unsigned a, unsigned b)
{
    return pack_f16(ferry_max_nan(f16_low(a), f16_low(b)), ferry_max_nan(f16_high(a), f16_high(b)));
}
static inline unsigned max_nan_bf16x2(unsigned a, unsigned b)
{
    return pack_bf16(ferry_max_nan(bf16_low(a), bf16_low(b)), ferry_max_nan(bf16_high(a), bf16_high(b)));
}
static inline unsigned min_f16x2(unsigned a, unsigned b)
{
    return pack_f16(fminf(f16_low(a), f16_low(b)), fminf(f16_high(a), f16_high(b)));
}

/// To nearest, ties away from zero.
static inline unsigned to_tf32(float x)
{
    const unsigned bits = __float_as_uint(x);
    if (!isfinite(x)) return bits;
    return (bits + 0x1000) & 0xffffe000u;
}
#endif

#endif // FERRY_TESTS_CUDA_EMULATOR_DEVICE_HALF_H_
