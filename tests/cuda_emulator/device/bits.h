// SPDX-License-Identifier: Apache-2.0
// Integer intrinsics, and numbers as bits.
#ifndef FERRY_TESTS_CUDA_EMULATOR_DEVICE_BITS_H_
#define FERRY_TESTS_CUDA_EMULATOR_DEVICE_BITS_H_

template <typename To, typename From> static inline To ferry_bits(From from)
{
    static_assert(sizeof(To) == sizeof(From), "another number of bits");
    To to;
    __builtin_memcpy(&to, &from, sizeof to);
    return to;
}

static inline int __float_as_int(float x)
{
    return ferry_bits<int>(x);
}
static inline unsigned __float_as_uint(float x)
{
    return ferry_bits<unsigned>(x);
}
static inline float __int_as_float(int x)
{
    return ferry_bits<float>(x);
}
static inline float __uint_as_float(unsigned x)
{
    return ferry_bits<float>(x);
}
static inline long long __double_as_longlong(double x)
{
    return ferry_bits<long long>(x);
}
static inline double __longlong_as_double(long long x)
{
    return ferry_bits<double>(x);
}

static inline int __popc(unsigned x)
{
    return __builtin_popcount(x);
}
static inline int __popcll(unsigned long long x)
{
    return __builtin_popcountll(x);
}
static inline int __clz(int x)
{
    return x ? __builtin_clz((unsigned)x) : 32;
}
static inline int __clzll(long long x)
{
    return x ? __builtin_clzll((unsigned long long)x) : 64;
}
static inline int __ffs(int x)
{
    return __builtin_ffs(x);
}
static inline int __ffsll(long long x)
{
    return __builtin_ffsll(x);
}
static inline unsigned __brev(unsigned x)
{
    unsigned out = 0;
    for (int i = 0; i < 32; i++) out |= (x >> i & 1) << (31 - i);
    return out;
}
static inline unsigned __byte_perm(unsigned low, unsigned high, unsigned selector)
{
    const unsigned long long bytes = low | (unsigned long long)high << 32;
    unsigned out = 0;
    for (int i = 0; i < 4; i++) out |= (unsigned)(bytes >> 8 * (selector >> 4 * i & 7) & 0xff) << 8 * i;
    return out;
}
static inline unsigned __umulhi(unsigned a, unsigned b)
{
    return (unsigned)((unsigned long long)a * b >> 32);
}
static inline int __mulhi(int a, int b)
{
    return (int)((long long)a * b >> 32);
}
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b)
{
    return (unsigned long long)((unsigned __int128)a * b >> 64);
}
static inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift)
{
    return (unsigned)((low | (unsigned long long)high << 32) << (shift & 31) >> 32);
}
static inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift)
{
    return (unsigned)((low | (unsigned long long)high << 32) >> (shift & 31));
}

static inline int dp4a(int a, int b, int c)
{
    unsigned sum = (unsigned)c;
    for (int i = 0; i < 4; i++) sum += (unsigned)((signed char)(a >> 8 * i) * (signed char)(b >> 8 * i));
    return (int)sum;
}
#if __CUDA_ARCH__ >= 610
static inline int __dp4a(int a, int b, int c)
{
    return dp4a(a, b, c);
}
#endif

#endif // FERRY_TESTS_CUDA_EMULATOR_DEVICE_BITS_H_
