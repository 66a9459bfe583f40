// SPDX-License-Identifier: Apache-2.0
// An input of up to four channels as a product's windows read it: four channels together, zeros (of int8, X_ZERO) where
// the window reaches beyond the picture, so that a line of a window is one run of memory.
// Set before: X_TYPE, X_ZERO, FORM_CHANNELS.
#pragma once
#include "types.cuh"

extern "C" __global__ void __launch_bounds__(256)
    ferry_product_form(const X_TYPE *x, X_TYPE *to, int pixels, int height, int width,
                       int in_h, int in_w, int pad_h, int pad_w, int picture, int line, int pitch, int channel_step)
{
    typedef typename word<4 * (int)sizeof(X_TYPE)>::type four;
    grid_dependency_launch();
    grid_dependency_wait();
    const int i = blockIdx.x * 256 + threadIdx.x;
    if (i >= pixels) return;
    const int row = i / width, n = row / height, h = row - n * height - pad_h, w = i - row * width - pad_w;
    union {
        four all;
        X_TYPE elements[4];
    } u;
    u.all = four();
#if X_ZERO
#pragma unroll
    for (int c = 0; c < 4; c++) u.elements[c] = X_ZERO;
#endif
    if ((unsigned)h < (unsigned)in_h && (unsigned)w < (unsigned)in_w) {
        const X_TYPE *from = x + ((long long)n * picture + h * line + w * pitch);
#pragma unroll
        for (int c = 0; c < FORM_CHANNELS; c++) u.elements[c] = from[(long long)c * channel_step];
    }
    reinterpret_cast<four *>(to)[i] = u.all;
}
