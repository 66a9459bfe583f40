// SPDX-License-Identifier: Apache-2.0
// What becomes of a product's sums: bias, chain, store; eight neighbouring channels at a time.
// Set before: Y_TYPE, the chain, INTEGER (0 or 1: docs/INT8.md), and with it TABLE_TYPE (of a table behind it) or not.
#pragma once
#include "integer.cuh"

#define PARAMETER(i, kind, type) , const type *QUALIFIER_##kind o##i
#define QUALIFIER_0
#define QUALIFIER_1 __restrict__ // constants stay what they are
#define QUALIFIER_2
#define PITCH_PARAMETER(i, kind, type) , int pitch##i
#define GIVE(i, kind, type)                                                                                            \
    to.o##i = o##i;                                                                                                    \
    to.pitch##i = pitch##i;
#define MEMBER(i, kind, type)                                                                                          \
    const type *o##i;                                                                                                  \
    int pitch##i;
#define EVEN(i, kind, type) &&is_even(o##i, pitch##i)
#define EIGHT(i, kind, type) eight<type> v##i;
#define FETCH(i, kind, type)                                                                                           \
    to.v##i.load(o##i + (long long)(kind == 0 ? row : kind == 1 ? 0 : row / plane) * pitch##i + column, whole, left);
#define PASS(i, kind, type) , to_float(with.v##i.elements[e])

// Runs of eight in rows of such a pitch are aligned, to 16 bytes at most.
template <class T> FERRY_INLINE bool is_even(const T *first, int pitch)
{
    return (((unsigned long long)first | (unsigned long long)(unsigned)pitch * sizeof(T)) & (sizeof(T) == 1 ? 7u : 15u)) ==
           0;
}

// As they lie in memory: a load that nothing waits for yet.
template <class T> struct eight {
    static constexpr int bytes = 8 * (int)sizeof(T) < 16 ? 8 * (int)sizeof(T) : 16, count = 8 * (int)sizeof(T) / bytes;
    union {
        typename word<bytes>::type words[count];
        T elements[8];
    };
    __device__ __forceinline__ void load(const T *from, bool whole, int left)
    {
        if (whole) {
#pragma unroll
            for (int i = 0; i < count; i++) words[i] = reinterpret_cast<const typename word<bytes>::type *>(from)[i];
            return;
        }
#pragma unroll
        for (int e = 0; e < 8; e++)
            if (e < left) elements[e] = from[e];
    }
};

// What every row has.
struct factors {
    eight<float> bias;
#if INTEGER
    eight<float> mult;
#endif
};

struct operands {
    FERRY_EACH_OPERAND(EIGHT)
};

struct store_to {
    Y_TYPE *y;
    const float *bias; // in whole tiles; of int8, the factors follow, and then the table
    int rows, columns, pitch, plane;
    bool even;
    FERRY_EACH_OPERAND(MEMBER)

    __device__ __forceinline__ void begin() { even = is_even(y, pitch) FERRY_EACH_OPERAND(EVEN); }
    __device__ __forceinline__ int width() const { return (columns + TILE_N - 1) / TILE_N * TILE_N; }
    __device__ __forceinline__ bool has(int row, int column) const { return row < rows && column < columns; }

    __device__ __forceinline__ void fetch(int column, factors &to) const
    {
        if (column >= columns) return;
        to.bias.load(bias + column, true, 8);
#if INTEGER
        to.mult.load(bias + width() + column, true, 8);
#endif
    }
    // What the chain reads for eight columns of a row, if there are such.
    __device__ __forceinline__ void fetch(int row, int column, operands &to) const
    {
        const int left = columns - column;
        const bool whole = even && left >= 8;
        if (!has(row, column)) return;
        FERRY_EACH_OPERAND(FETCH)
    }
    __device__ __forceinline__ void finish(int row, int column, const sum_type (&v)[8], const factors &by,
                                           const operands &with) const
    {
        const int left = columns - column;
        Y_TYPE made[8];
#pragma unroll
        for (int e = 0; e < 8; e++) {
#if INTEGER
            const float t = ferry_chain(fmaf((float)v[e], by.mult.elements[e], by.bias.elements[e])
                                            FERRY_EACH_OPERAND(PASS));
#ifdef TABLE_TYPE
            made[e] = reinterpret_cast<const TABLE_TYPE *>(bias + 2 * width())[round_s8(t) + 128];
#else
            made[e] = stored<Y_TYPE>::of(t);
#endif
#else
            made[e] = element<Y_TYPE>::of(ferry_chain(v[e] + by.bias.elements[e] FERRY_EACH_OPERAND(PASS)));
#endif
        }
        Y_TYPE *at = y + (long long)row * pitch + column;
        if (even && left >= 8) {
            store_raw<8>(at, made);
            return;
        }
#pragma unroll
        for (int e = 0; e < 8; e++)
            if (e < left) at[e] = made[e];
    }
};
