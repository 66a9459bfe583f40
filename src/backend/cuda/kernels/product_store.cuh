// SPDX-License-Identifier: Apache-2.0
// What becomes of a product's sums: bias, chain, store; eight neighbouring channels at a time.
// Set before: Y_TYPE, the chain.
#pragma once
#include "types.cuh"

#define PARAMETER(i, kind, type) , const type *__restrict__ o##i
#define PITCH_PARAMETER(i, kind, type) , int pitch##i
#define GIVE(i, kind, type)                                                                                            \
    to.o##i = o##i;                                                                                                    \
    to.pitch##i = pitch##i;
#define MEMBER(i, kind, type)                                                                                          \
    const type *o##i;                                                                                                  \
    int pitch##i;
#define EVEN(i, kind, type) &&is_even(o##i, pitch##i)
#define LOAD(i, kind, type)                                                                                            \
    float v##i[8];                                                                                                     \
    load_eight(o##i + (long long)(kind == 0 ? row : kind == 1 ? 0 : row / plane) * pitch##i + column, whole, left, v##i);
#define PASS(i, kind, type) , v##i[e]

// Runs of eight in rows of such a pitch are aligned to 16 bytes.
template <class T> FERRY_INLINE bool is_even(const T *first, int pitch)
{
    return (((unsigned long long)first | (unsigned long long)(unsigned)pitch * sizeof(T)) & 15u) == 0;
}

template <class T> FERRY_INLINE void load_eight(const T *from, bool whole, int left, float (&to)[8])
{
    if (whole) {
        load<8>(from, to);
        return;
    }
#pragma unroll
    for (int e = 0; e < 8; e++) to[e] = e < left ? to_float(from[e]) : 0.0f;
}

struct store_to {
    Y_TYPE *y;
    const float *bias; // in whole tiles
    int columns, pitch, plane;
    bool even;
    FERRY_EACH_OPERAND(MEMBER)

    __device__ __forceinline__ void begin() { even = is_even(y, pitch) FERRY_EACH_OPERAND(EVEN); }
    __device__ __forceinline__ void operator()(int row, int column, float (&v)[8]) const
    {
        const int left = columns - column;
        const bool whole = even && left >= 8;
        float b[8];
        load<8>(bias + column, b);
        FERRY_EACH_OPERAND(LOAD)
#pragma unroll
        for (int e = 0; e < 8; e++) v[e] = ferry_chain(v[e] + b[e] FERRY_EACH_OPERAND(PASS));
        Y_TYPE *to = y + (long long)row * pitch + column;
        if (whole) {
            store<8>(to, v);
            return;
        }
#pragma unroll
        for (int e = 0; e < 8; e++)
            if (e < left) to[e] = element<Y_TYPE>::of(v[e]);
    }
};
