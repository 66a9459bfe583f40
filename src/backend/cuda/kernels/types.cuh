// SPDX-License-Identifier: Apache-2.0
// Element types of tensors, and runs of neighbouring elements read and written as floats.
#pragma once
#include "primitives.cuh"

struct f16 {
    unsigned short bits;
};
struct bf16 {
    unsigned short bits;
};
typedef signed char s8;

FERRY_INLINE float to_float(float x) { return x; }
FERRY_INLINE float to_float(f16 x) { return f16_to_f32(x.bits); }
FERRY_INLINE float to_float(bf16 x) { return bf16_to_f32(x.bits); }
FERRY_INLINE float to_float(s8 x) { return (float)x; }

template <class T> struct element;
template <> struct element<float> {
    FERRY_INLINE float of(float x) { return x; }
};
template <> struct element<f16> {
    FERRY_INLINE f16 of(float x) { return f16{f32_to_f16(x)}; }
};
template <> struct element<bf16> {
    FERRY_INLINE bf16 of(float x) { return bf16{f32_to_bf16(x)}; }
};

// docs/INT8.md: NaN becomes 0, clamped as a float, rounded half to even.
FERRY_INLINE int round_s8(float t)
{
    t = t == t ? t : 0.0f;
    t = t > -128.0f ? t : -128.0f;
    t = t < 127.0f ? t : 127.0f;
    return __float2int_rn(t);
}

// Bytes moved at once.
template <int BYTES> struct word;
template <> struct word<1> {
    typedef unsigned char type;
};
template <> struct word<2> {
    typedef unsigned short type;
};
template <> struct word<4> {
    typedef unsigned type;
};
template <> struct word<8> {
    typedef uint2 type;
};
template <> struct word<16> {
    typedef uint4 type;
};

// W neighbouring elements; `from` is aligned to as many bytes as they have, up to 16.
template <int W, class T> FERRY_INLINE void load(const T *from, float (&to)[W])
{
    constexpr int bytes = W * (int)sizeof(T) < 16 ? W * (int)sizeof(T) : 16, n = W * (int)sizeof(T) / bytes;
    union {
        typename word<bytes>::type words[n];
        T elements[W];
    } u;
#pragma unroll
    for (int i = 0; i < n; i++) u.words[i] = reinterpret_cast<const typename word<bytes>::type *>(from)[i];
#pragma unroll
    for (int i = 0; i < W; i++) to[i] = to_float(u.elements[i]);
}

// As they are.
template <int W, class T> FERRY_INLINE void load_raw(const T *from, T (&to)[W])
{
    constexpr int bytes = W * (int)sizeof(T) < 16 ? W * (int)sizeof(T) : 16, n = W * (int)sizeof(T) / bytes;
    union {
        typename word<bytes>::type words[n];
        T elements[W];
    } u;
#pragma unroll
    for (int i = 0; i < n; i++) u.words[i] = reinterpret_cast<const typename word<bytes>::type *>(from)[i];
#pragma unroll
    for (int i = 0; i < W; i++) to[i] = u.elements[i];
}

template <int W, class T> FERRY_INLINE void store_raw(T *to, const T (&from)[W])
{
    constexpr int bytes = W * (int)sizeof(T) < 16 ? W * (int)sizeof(T) : 16, n = W * (int)sizeof(T) / bytes;
    union {
        typename word<bytes>::type words[n];
        T elements[W];
    } u;
#pragma unroll
    for (int i = 0; i < W; i++) u.elements[i] = from[i];
#pragma unroll
    for (int i = 0; i < n; i++) reinterpret_cast<typename word<bytes>::type *>(to)[i] = u.words[i];
}

template <int W, class T> FERRY_INLINE void store(T *to, const float (&from)[W])
{
    T elements[W];
#pragma unroll
    for (int i = 0; i < W; i++) elements[i] = element<T>::of(from[i]);
    store_raw<W>(to, elements);
}
