// SPDX-License-Identifier: Apache-2.0
// Maximum and average of int8 over windows, channels last: docs/INT8.md to the bit. A thread makes one position of V
// neighbouring channels; or, where windows have many taps, PARTS threads share its window, one of 32 such runs in a
// block.
// Set before: Y_TYPE, V (16, 4 or 1), PARTS, MAXIMUM (0 or 1), COUNT_PADS (0 or 1).
#pragma once
#include "integer.cuh"

struct axis {
    int in, out, kernel, stride, dilation, pad, end; // end: of the padded input
};

// How many of the taps at start, start + step ... lie before `end`; at most `most`.
FERRY_INLINE int taps_before(int start, int step, int end, int most)
{
    return end > start ? min((end - start + step - 1) / step, most) : 0;
}

FERRY_INLINE int counted(const axis &a, int o)
{
    const int start = o * a.stride - a.pad;
#if COUNT_PADS
    return taps_before(start, a.dilation, a.end, a.kernel);
#else
    return taps_before(start, a.dilation, a.in, a.kernel) - taps_before(start, a.dilation, 0, a.kernel);
#endif
}

FERRY_INLINE void take(int &to, int v)
{
#if MAXIMUM
    to = max(to, v);
#else
    to += v;
#endif
}

constexpr int threads = PARTS > 1 ? 32 * PARTS : 128;

extern "C" __global__ void __launch_bounds__(threads)
    ferry_integer_pool(const s8 *x, Y_TYPE *y, int positions, int channels, float mult, float shift, int x_row, int y_row,
                       int in_d, int out_d, int kernel_d, int stride_d, int dilation_d, int pad_d, int end_d, int in_h,
                       int out_h, int kernel_h, int stride_h, int dilation_h, int pad_h, int end_h, int in_w, int out_w,
                       int kernel_w, int stride_w, int dilation_w, int pad_w, int end_w)
{
    grid_dependency_launch();
    const axis d = {in_d, out_d, kernel_d, stride_d, dilation_d, pad_d, end_d};
    const axis h = {in_h, out_h, kernel_h, stride_h, dilation_h, pad_h, end_h};
    const axis w = {in_w, out_w, kernel_w, stride_w, dilation_w, pad_w, end_w};
#if PARTS > 1
    const int lane = threadIdx.x % 32, part = threadIdx.x / 32;
    const int channel = (blockIdx.y * 32 + lane) * V, position = blockIdx.x;
    const bool has = channel < channels;
#else
    const int runs = channels / V, part = 0;
    const long long at = (long long)blockIdx.x * threads + threadIdx.x;
    const int position = (int)(at / runs), channel = (int)(at - (long long)position * runs) * V;
    const bool has = position < positions;
#endif
    const int line = position / out_w, ow = position - line * out_w, slab = line / out_h, oh = line - slab * out_h;
    const int picture = slab / out_d, od = slab - picture * out_d;
    const bool even = (((unsigned long long)x | (unsigned)x_row) & (V - 1)) == 0;
    int sum[V];
#pragma unroll
    for (int e = 0; e < V; e++) sum[e] = MAXIMUM ? -128 : 0;
    grid_dependency_wait();
    if (has)
        for (int t = part; t < kernel_d * kernel_h * kernel_w; t += PARTS) {
            const int row = t / kernel_w, iw = ow * stride_w - pad_w + (t - row * kernel_w) * dilation_w;
            const int slice = row / kernel_h, ih = oh * stride_h - pad_h + (row - slice * kernel_h) * dilation_h;
            const int id = od * stride_d - pad_d + slice * dilation_d;
            if ((unsigned)id >= (unsigned)in_d || (unsigned)ih >= (unsigned)in_h || (unsigned)iw >= (unsigned)in_w)
                continue;
            const s8 *from = x + (long long)(((picture * in_d + id) * in_h + ih) * in_w + iw) * x_row + channel;
            s8 v[V];
            if (even) {
                load_raw<V>(from, v);
            } else {
#pragma unroll
                for (int e = 0; e < V; e++) v[e] = from[e];
            }
#pragma unroll
            for (int e = 0; e < V; e++) take(sum[e], v[e]);
        }
#if PARTS > 1
    __shared__ int sums[PARTS][32][V];
#pragma unroll
    for (int e = 0; e < V; e++) sums[part][lane][e] = sum[e];
    __syncthreads();
    if (part != 0) return;
#pragma unroll
    for (int e = 0; e < V; e++)
#pragma unroll
        for (int p = 1; p < PARTS; p++) take(sum[e], sums[p][lane][e]);
#endif
    if (!has) return;
    const int count = counted(d, od) * counted(h, oh) * counted(w, ow);
    Y_TYPE made[V];
#pragma unroll
    for (int e = 0; e < V; e++)
        made[e] = stored<Y_TYPE>::of(MAXIMUM ? (float)sum[e]
                                             : fmaf(__fdiv_rn((float)sum[e], (float)count), mult, shift));
    Y_TYPE *to = y + (long long)position * y_row + channel;
    constexpr int bytes = V * (int)sizeof(Y_TYPE) < 16 ? V * (int)sizeof(Y_TYPE) : 16;
    if ((((unsigned long long)y | (unsigned long long)y_row * sizeof(Y_TYPE)) & (bytes - 1)) == 0) {
        store_raw<V>(to, made);
    } else {
#pragma unroll
        for (int e = 0; e < V; e++) to[e] = made[e];
    }
}
