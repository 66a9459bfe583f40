// SPDX-License-Identifier: Apache-2.0
// Arithmetic of ONNX's operators where C's differs or leaves it open, for kernels/broadcast.cuh.
#pragma once
#include "primitives.cuh"

typedef long long wide;

// Cast: truncated, to the nearest bound beyond the type's range, 0 for NaN.
template <class T> FERRY_INLINE T to_integer(float v, float low, float high, T least, T most)
{
    return v != v ? (T)0 : v <= low ? least : v >= high ? most : (T)v;
}
FERRY_INLINE wide wide_divide(wide a, wide b)
{
    return b == 0 ? 0 : b == -1 ? (wide)(0ull - (unsigned long long)a) : a / b;
}
FERRY_INLINE wide wide_remainder(wide a, wide b) { return b == 0 || b == -1 ? 0 : a % b; }
FERRY_INLINE wide wide_modulo(wide a, wide b)
{
    const wide rest = wide_remainder(a, b);
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}
FERRY_INLINE float fn_modulo(float a, float b)
{
    const float rest = fmodf(a, b);
    if (rest == 0.0f) return copysignf(0.0f, b);
    return (rest < 0.0f) != (b < 0.0f) ? rest + b : rest;
}
FERRY_INLINE float fn_pow(float a, float b) { return powf(a, b); }
