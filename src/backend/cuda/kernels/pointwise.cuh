// SPDX-License-Identifier: Apache-2.0
// A chain of elementwise operators over a dense tensor: each thread a run of WIDTH neighbouring elements.
// Set before: X_TYPE, Y_TYPE, WIDTH, CHANNELS_LAST (0 or 1), the chain.
#pragma once
#include "types.cuh"

// Of element i: its channel, and that counted over all pictures (picture * C + channel).
FERRY_INLINE void find_place(unsigned i, unsigned channels, unsigned plane, int &channel, int &gate)
{
#if CHANNELS_LAST
    const unsigned row = i / channels;
    channel = (int)(i - row * channels);
    gate = (int)(row / plane * channels) + channel;
#else
    gate = (int)(i / plane);
    channel = (int)((unsigned)gate % channels);
#endif
}

template <int KIND, int W, class T>
FERRY_INLINE void load_operand(const T *o, unsigned i, unsigned channels, unsigned plane, float (&to)[W])
{
    if (KIND == 0) {
        load<W>(o + i, to);
        return;
    }
#pragma unroll
    for (int e = 0; e < W; e++) {
        int channel, gate;
        find_place(i + e, channels, plane, channel, gate);
        to[e] = to_float(o[KIND == 1 ? channel : gate]);
    }
}

#define PARAMETER(n, kind, type) , const type *o##n
#define LOAD(n, kind, type)                                                                                            \
    float v##n[w];                                                                                                     \
    load_operand<kind>(o##n, i, channels, plane, v##n);
#define PASS(n, kind, type) , v##n[e]

// x and y may be the same memory: every element is read before it is written, by the thread that writes it.
#define RUN(width)                                                                                                     \
    {                                                                                                                  \
        constexpr int w = width;                                                                                       \
        float v[w];                                                                                                    \
        load<w>(x + i, v);                                                                                             \
        FERRY_EACH_OPERAND(LOAD)                                                                                       \
        _Pragma("unroll") for (int e = 0; e < w; e++) v[e] = ferry_chain(v[e] FERRY_EACH_OPERAND(PASS));               \
        store<w>(y + i, v);                                                                                            \
    }

extern "C" __global__ void __launch_bounds__(256) ferry_pointwise(const X_TYPE *x, Y_TYPE *y, unsigned elements,
                                                                  unsigned channels,
                                                                  unsigned plane FERRY_EACH_OPERAND(PARAMETER))
{
    grid_dependency_launch();
    grid_dependency_wait();
    unsigned i = (blockIdx.x * 256u + threadIdx.x) * WIDTH;
    if (i + WIDTH <= elements) {
        RUN(WIDTH)
        return;
    }
    for (; i < elements; i++) RUN(1)
}
