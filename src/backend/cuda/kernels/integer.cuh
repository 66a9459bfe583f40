// SPDX-License-Identifier: Apache-2.0
// The roundings of docs/INT8.md: what an int8 operator stores of its float result t.
#pragma once
#include "types.cuh"

template <class T> struct stored {
    FERRY_INLINE T of(float t) { return element<T>::of(t); }
};
template <> struct stored<s8> {
    FERRY_INLINE s8 of(float t) { return (s8)round_s8(t); }
};

// QuantizeLinear: a correctly rounded division, an integer first, then the zero point; NaN becomes the zero point.
FERRY_INLINE s8 quantise(float x, float scale, float zero)
{
    const float t = __fdiv_rn(x, scale), q = (t == t ? rintf(t) : 0.0f) + zero;
    return (s8)(int)(q < -128.0f ? -128.0f : q > 127.0f ? 127.0f : q);
}
