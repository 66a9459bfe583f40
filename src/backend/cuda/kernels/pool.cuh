// SPDX-License-Identifier: Apache-2.0
// Maximum and average over windows. A thread makes one output for WIDTH neighbouring channels; a tensor in the plain
// layout is one of as many pictures as it has planes, with one channel.
// Set before: X_TYPE, WIDTH, MAXIMUM (0 or 1), COUNT_PADS (0 or 1), the window along height and width (KH, KW).
#pragma once
#include "types.cuh"

#define NOTHING (MAXIMUM ? -__int_as_float(0x7f800000) : 0.0f)

// Taps along an axis that count when padding counts: those inside the padded input.
FERRY_INLINE int counted(int first, int end, int dilation, int kernel)
{
    const int taps = (end - first + dilation - 1) / dilation;
    return taps < kernel ? taps : kernel;
}

FERRY_INLINE void take(float &v, float x)
{
#if MAXIMUM
    v = x > v || x != x ? x : v; // a NaN stays: nothing is more than it
#else
    v += x;
#endif
}

extern "C" __global__ void __launch_bounds__(128, 8)
    ferry_pool(const X_TYPE *x, X_TYPE *y, int positions, int channels, int in_d, int in_h,
               int in_w, int out_d, int out_h, int out_w, int kernel_d, int stride_d, int stride_h, int stride_w,
               int dilation_d, int dilation_h, int dilation_w, int pad_d, int pad_h, int pad_w, int end_d, int end_h,
               int end_w, int x_row, int y_row)
{
    grid_dependency_launch();
    const int position = blockIdx.x * blockDim.y + threadIdx.y;
    const int channel = (blockIdx.y * blockDim.x + threadIdx.x) * WIDTH;
    if (position >= positions || channel >= channels) return;
    int rest = position / out_w;
    const int left = (position - rest * out_w) * stride_w - pad_w;
    int line = rest / out_h;
    const int top = (rest - line * out_h) * stride_h - pad_h;
    const int picture = line / out_d, front = (line - picture * out_d) * stride_d - pad_d;
    float v[WIDTH];
    int count = 0;
#pragma unroll
    for (int e = 0; e < WIDTH; e++) v[e] = NOTHING;
    grid_dependency_wait();
    for (int d = 0; d < kernel_d; d++) {
        const int depth = front + d * dilation_d;
        if ((unsigned)depth >= (unsigned)in_d) continue;
#pragma unroll UNROLL_H
        for (int h = 0; h < KH; h++) {
            const int height = top + h * dilation_h;
            const bool row_inside = (unsigned)height < (unsigned)in_h;
            const X_TYPE *row = x + (long long)(((picture * in_d + depth) * in_h + height) * in_w) * x_row + channel;
#pragma unroll UNROLL_W
            for (int w = 0; w < KW; w++) {
                const int width = left + w * dilation_w;
                const bool inside = row_inside && (unsigned)width < (unsigned)in_w;
                float in[WIDTH];
                if (inside) {
                    load<WIDTH>(row + (long long)width * x_row, in);
                } else {
#pragma unroll
                    for (int e = 0; e < WIDTH; e++) in[e] = NOTHING;
                }
                count += inside;
#pragma unroll
                for (int e = 0; e < WIDTH; e++) take(v[e], in[e]);
            }
        }
    }
#if COUNT_PADS
    count = counted(front, end_d, dilation_d, kernel_d) * counted(top, end_h, dilation_h, KH) *
            counted(left, end_w, dilation_w, KW);
#endif
#if !MAXIMUM
    const float part = count > 0 ? 1.0f / (float)count : 0.0f;
#pragma unroll
    for (int e = 0; e < WIDTH; e++) v[e] *= part;
#endif
    store<WIDTH>(y + (long long)position * y_row + channel, v);
}
