// SPDX-License-Identifier: Apache-2.0
// The words that CUDA adds to C++, the built-in variables, and the vector types.
#ifndef FERRY_TESTS_CUDA_EMULATOR_DEVICE_LANGUAGE_H_
#define FERRY_TESTS_CUDA_EMULATOR_DEVICE_LANGUAGE_H_

#include "execute/runtime.h"

// Everything of a program lies in an anonymous namespace, so nothing but the image leaves the module.
#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(bytes) __attribute__((aligned(bytes)))
// In a section of their own, so that the emulator finds them: blocks begin with garbage there.
#define __shared__ static __attribute__((section("ferry_shared")))

typedef __SIZE_TYPE__ size_t;
typedef __PTRDIFF_TYPE__ ptrdiff_t;

static const emulated_runtime *ferry_runtime; // set when the module is loaded

struct uint3 {
    unsigned x, y, z;
};
struct int3 {
    int x, y, z;
};
struct float3 {
    float x, y, z;
};
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_)
    {
    }
    constexpr dim3(const emulated_uint3 &v) : x(v.x), y(v.y), z(v.z)
    {
    }
};

// A thread that waits comes back to other values here, which the compiler reads anew after each call.
#define threadIdx (ferry_runtime->thread)
#define blockIdx (ferry_runtime->block)
#define blockDim (ferry_runtime->block_size)
#define gridDim (ferry_runtime->grid_size)
#define warpSize 32

#define FERRY_VECTOR2(type, name)                                                                                      \
    struct __align__(2 * sizeof(type)) name##2                                                                         \
    {                                                                                                                  \
        type x, y;                                                                                                     \
    };                                                                                                                 \
    static inline name##2 make_##name##2(type x, type y)                                                               \
    {                                                                                                                  \
        return name##2 {x, y};                                                                                         \
    }
#define FERRY_VECTOR4(type, name)                                                                                      \
    struct __align__(4 * sizeof(type) < 16 ? 4 * sizeof(type) : 16) name##4                                            \
    {                                                                                                                  \
        type x, y, z, w;                                                                                               \
    };                                                                                                                 \
    static inline name##4 make_##name##4(type x, type y, type z, type w)                                               \
    {                                                                                                                  \
        return name##4 {x, y, z, w};                                                                                   \
    }
FERRY_VECTOR2(signed char, char)
FERRY_VECTOR2(unsigned char, uchar)
FERRY_VECTOR2(short, short)
FERRY_VECTOR2(unsigned short, ushort)
FERRY_VECTOR2(int, int)
FERRY_VECTOR2(unsigned, uint)
FERRY_VECTOR2(long long, longlong)
FERRY_VECTOR2(unsigned long long, ulonglong)
FERRY_VECTOR2(float, float)
FERRY_VECTOR2(double, double)
FERRY_VECTOR4(signed char, char)
FERRY_VECTOR4(unsigned char, uchar)
FERRY_VECTOR4(short, short)
FERRY_VECTOR4(unsigned short, ushort)
FERRY_VECTOR4(int, int)
FERRY_VECTOR4(unsigned, uint)
FERRY_VECTOR4(float, float)
#undef FERRY_VECTOR2
#undef FERRY_VECTOR4

static inline float3 make_float3(float x, float y, float z)
{
    return float3{x, y, z};
}
static inline int3 make_int3(int x, int y, int z)
{
    return int3{x, y, z};
}

extern "C" int printf(const char *, ...);
[[noreturn]] static inline void __trap()
{
    __builtin_trap();
}

#endif // FERRY_TESTS_CUDA_EMULATOR_DEVICE_LANGUAGE_H_
