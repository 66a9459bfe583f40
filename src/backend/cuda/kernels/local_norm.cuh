// SPDX-License-Identifier: Apache-2.0
// LRN: each element over a power of the squares of its neighbours in the channels. Set before: TYPE.
#pragma once
#include "types.cuh"

// `step` elements from channel to channel: 1 with channels last, else the plane's.
extern "C" __global__ void __launch_bounds__(256)
    ferry_local_norm(const TYPE *x, TYPE *y, unsigned elements, int channels, unsigned step,
                     int before, int after, float bias, float alpha, float beta)
{
    grid_dependency_launch();
    grid_dependency_wait();
    const unsigned i = blockIdx.x * 256u + threadIdx.x;
    if (i >= elements) return;
    const int channel = (int)(i / step % (unsigned)channels);
    const int first = channel > before ? -before : -channel;
    const int last = after < channels - 1 - channel ? after : channels - 1 - channel;
    float squares = 0.0f;
    for (int near = first; near <= last; near++) {
        const float v = to_float(x[(long long)i + (long long)near * step]);
        squares = fmaf(v, v, squares);
    }
    y[i] = element<TYPE>::of(to_float(x[i]) / powf(fmaf(alpha, squares, bias), beta));
}
