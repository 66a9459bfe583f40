// SPDX-License-Identifier: Apache-2.0
// Elementwise operators on int8, and the conversions between int8 and floats, as docs/INT8.md defines them to the bit.
// Each thread takes a run of WIDTH neighbouring elements. Set before: A_TYPE, Y_TYPE, WIDTH, CHANNELS_LAST, B_KIND (-1:
// there is none; else as operands of chains have it, 3: one element) and `Y_TYPE ferry_integer(A_TYPE, s8, const
// TABLE_TYPE *)`.
#pragma once
#include "types.cuh"

template <class T, int W> struct run {
    static constexpr int bytes = W * (int)sizeof(T) < 16 ? W * (int)sizeof(T) : 16;
    static constexpr int words = W * (int)sizeof(T) / bytes;
    union {
        typename word<bytes>::type w[words];
        T e[W];
    };
    __device__ __forceinline__ void load(const T *from)
    {
#pragma unroll
        for (int i = 0; i < words; i++) w[i] = reinterpret_cast<const typename word<bytes>::type *>(from)[i];
    }
    __device__ __forceinline__ void store(T *to) const
    {
#pragma unroll
        for (int i = 0; i < words; i++) reinterpret_cast<typename word<bytes>::type *>(to)[i] = w[i];
    }
};

FERRY_INLINE unsigned operand_at(unsigned i, unsigned channels, unsigned plane)
{
#if B_KIND == 0
    return i;
#elif B_KIND == 1 || B_KIND == 2
#if CHANNELS_LAST
    const unsigned row = i / channels, channel = i - row * channels;
    return B_KIND == 1 ? channel : row / plane * channels + channel;
#else
    return B_KIND == 1 ? i / plane % channels : i / plane;
#endif
#else
    return 0;
#endif
}

extern "C" __global__ void __launch_bounds__(256)
    ferry_integer_pointwise(const A_TYPE *a, const s8 *b, const TABLE_TYPE *table, Y_TYPE *y, unsigned elements,
                            unsigned channels, unsigned plane)
{
    grid_dependency_launch();
    grid_dependency_wait();
    unsigned i = (blockIdx.x * 256u + threadIdx.x) * WIDTH;
    if (i + WIDTH <= elements) {
        run<A_TYPE, WIDTH> from;
        run<Y_TYPE, WIDTH> to;
        from.load(a + i);
#if B_KIND == 0
        run<s8, WIDTH> other;
        other.load(b + i);
#endif
#pragma unroll
        for (int e = 0; e < WIDTH; e++)
#if B_KIND == 0
            to.e[e] = ferry_integer(from.e[e], other.e[e], table);
#elif B_KIND > 0
            to.e[e] = ferry_integer(from.e[e], b[operand_at(i + e, channels, plane)], table);
#else
            to.e[e] = ferry_integer(from.e[e], 0, table);
#endif
        to.store(y + i);
        return;
    }
    for (; i < elements; i++) y[i] = ferry_integer(a[i], B_KIND < 0 ? 0 : b[operand_at(i, channels, plane)], table);
}
