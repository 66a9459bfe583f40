// SPDX-License-Identifier: Apache-2.0
// QResize of docs/INT8.md: linear, of the last two of four dimensions. A thread makes WIDTH neighbouring channels of a
// position; a tensor in the plain layout is one of as many pictures as it has planes, with one channel.
// Set before: Y_TYPE, WIDTH, MODE (0: half_pixel, 1: pytorch_half_pixel, 2: align_corners, 3: asymmetric).
#pragma once
#include "integer.cuh"
#include "types.cuh"

struct resize_tap {
    int i0, i1;
    float w;
};

FERRY_INLINE resize_tap find_tap(int o, int in, int out, double scale)
{
    double x = MODE == 2               ? (out > 1 ? (double)o * (double)(in - 1) / (double)(out - 1) : 0.0)
               : MODE == 3             ? (double)o / scale
               : MODE == 1 && out <= 1 ? 0.0
                                       : ((double)o + 0.5) / scale - 0.5;
    if (!(x > 0.0)) x = 0.0;
    if (x > (double)(in - 1)) x = (double)(in - 1);
    resize_tap t;
    t.i0 = (int)floor(x);
    t.i1 = t.i0 + 1 < in ? t.i0 + 1 : in - 1;
    t.w = (float)(x - (double)t.i0);
    return t;
}

FERRY_INLINE float between(s8 a, s8 b, float w)
{
    return fmaf((float)(b - a), w, (float)a);
}

// Threads [x] are runs of channels, [y] positions.
extern "C" __global__ void __launch_bounds__(128)
    ferry_integer_resize(const s8 *x, Y_TYPE *y, int positions, int channels, int in_h,
                         int in_w, int out_h, int out_w, double scale_h, double scale_w, float mult, float shift,
                         int x_row, int y_row)
{
    grid_dependency_launch();
    grid_dependency_wait();
    const int position = blockIdx.x * blockDim.y + threadIdx.y;
    const int channel = (blockIdx.y * blockDim.x + threadIdx.x) * WIDTH;
    if (position >= positions || channel >= channels) return;
    const int row = position / out_w, picture = row / out_h;
    const resize_tap h = find_tap(row - picture * out_h, in_h, out_h, scale_h);
    const resize_tap w = find_tap(position - row * out_w, in_w, out_w, scale_w);
    const s8 *from = x + (size_t)picture * in_h * in_w * x_row + channel;
    const s8 *above = from + (size_t)h.i0 * in_w * x_row, *below = from + (size_t)h.i1 * in_w * x_row;
    s8 a[WIDTH], b[WIDTH], c[WIDTH], d[WIDTH];
    load_raw<WIDTH>(above + (size_t)w.i0 * x_row, a);
    load_raw<WIDTH>(above + (size_t)w.i1 * x_row, b);
    load_raw<WIDTH>(below + (size_t)w.i0 * x_row, c);
    load_raw<WIDTH>(below + (size_t)w.i1 * x_row, d);
    Y_TYPE result[WIDTH];
#pragma unroll
    for (int e = 0; e < WIDTH; e++) {
        const float h0 = between(a[e], b[e], w.w), h1 = between(c[e], d[e], w.w);
        result[e] = stored<Y_TYPE>::of(fmaf(fmaf(h1 - h0, h.w, h0), mult, shift));
    }
    store_raw<WIDTH>(y + (size_t)position * y_row + channel, result);
}
