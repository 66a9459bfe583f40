// SPDX-License-Identifier: Apache-2.0
// Convolution of int8 of any window and groups, channels last: docs/INT8.md to the bit. A thread makes V neighbouring
// channels of one position: of one group, or with DEPTHWISE each from its own channel.
// Weights lie [tap][channel in][channel out]; behind the biases lie the factors and the table.
// Set before: Y_TYPE, V (4 or 1), DEPTHWISE, X_ZERO, the window along depth, height and width (KD ... strides SD ...
// dilations DD ...), ferry_act and ferry_finish, RESIDUAL_TYPE and TABLE_TYPE where there are such.
#pragma once
#include "integer.cuh"

#define UNROLL_W (KW <= 7 ? KW : 1)

#ifdef RESIDUAL_TYPE
#define RESIDUAL , const RESIDUAL_TYPE *residual, int residual_row
#else
#define RESIDUAL
#endif

// Aligned or not, as the tensor that is read may be a slice of channels.
FERRY_INLINE void load_run(const s8 *from, bool even, s8 (&to)[V])
{
    if (even) {
        load_raw<V>(from, to);
        return;
    }
#pragma unroll
    for (int e = 0; e < V; e++) to[e] = from[e];
}

// The elements under one tap for all channels; x points to the group's first channel there, or is null in the border.
FERRY_INLINE void add_tap(const s8 *x, bool even, const s8 *w, int c_each, int channels, int (&sum)[V])
{
#if DEPTHWISE
    s8 a[V], b[V];
    load_raw<V>(w, b);
#pragma unroll
    for (int e = 0; e < V; e++) a[e] = X_ZERO;
    if (x) load_run(x, even, a);
#pragma unroll
    for (int e = 0; e < V; e++) sum[e] += (int)a[e] * (int)b[e];
#else
    for (int c = 0; c < c_each; c++, w += channels) {
        const int a = x ? (int)x[c] : X_ZERO;
        s8 b[V];
        load_raw<V>(w, b);
#pragma unroll
        for (int e = 0; e < V; e++) sum[e] += a * (int)b[e];
    }
#endif
}

FERRY_INLINE Y_TYPE finished(float t, const void *table)
{
#ifdef TABLE_TYPE
    return static_cast<const TABLE_TYPE *>(table)[round_s8(t) + 128];
#else
    return stored<Y_TYPE>::of(t);
#endif
}

extern "C" __global__ void __launch_bounds__(128)
    ferry_integer_window(const s8 *x, const s8 *w, const float *bias, Y_TYPE *y,
                         int positions, int channels, int c_each, int m_each, int in_d, int in_h, int in_w, int out_d,
                         int out_h, int out_w, int pad_d, int pad_h, int pad_w, int x_row, int y_row RESIDUAL)
{
    grid_dependency_launch();
    const int runs = channels / V, i = blockIdx.x * 128 + threadIdx.x, position = i / runs;
    const int channel = (i - position * runs) * V;
    if (position >= positions) return;
    const int line = position / out_w, ow = position - line * out_w, slab = line / out_h, oh = line - slab * out_h;
    const int picture = slab / out_d, od = slab - picture * out_d;
    const bool even = (((unsigned long long)x | (unsigned)x_row) & (V - 1)) == 0;
    const s8 *from = x + channel / m_each * c_each;
    const s8 *filter = w + channel;
    int sum[V];
#pragma unroll
    for (int e = 0; e < V; e++) sum[e] = 0;
    grid_dependency_wait();
#pragma unroll 1
    for (int kd = 0; kd < KD; kd++)
#pragma unroll 1
        for (int kh = 0; kh < KH; kh++) {
            const int id = od * SD + kd * DD - pad_d, ih = oh * SH + kh * DH - pad_h;
            const bool inside = (unsigned)id < (unsigned)in_d && (unsigned)ih < (unsigned)in_h;
            const int row = ((picture * in_d + id) * in_h + ih) * in_w;
#pragma unroll UNROLL_W
            for (int kw = 0; kw < KW; kw++, filter += (long long)c_each * channels) {
                const int iw = ow * SW + kw * DW - pad_w;
                const bool valid = inside && (unsigned)iw < (unsigned)in_w;
                add_tap(valid ? from + (long long)(row + iw) * x_row : nullptr, even, filter, c_each, channels, sum);
            }
        }
#pragma unroll
    for (int e = 0; e < V; e++) {
        const float t = fmaf((float)sum[e], bias[channels + channel + e], bias[channel + e]);
#ifdef RESIDUAL_TYPE
        const float v = ferry_finish(t, to_float(residual[(long long)position * residual_row + channel + e]));
#else
        const float v = ferry_act(t);
#endif
        y[(long long)position * y_row + channel + e] = finished(v, bias + 2 * channels);
    }
}
