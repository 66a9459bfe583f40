// SPDX-License-Identifier: Apache-2.0
// Resize of up to three spatial dimensions: to the nearest, linear or cubic. Where an output position lies in the input
// is affine in it, an offset and a step for each axis, in doubles as the reference has them. A thread makes WIDTH
// neighbouring channels of a position; a tensor in the plain layout is one of as many pictures as it has planes, with
// one channel.
// Set before: X_TYPE (for the nearest: ELEMENT, a type of as many bytes), WIDTH, TAPS (1: nearest, 2: linear, 4: cubic);
// for the nearest ROUNDING (0: half down, 1: half up, 2: floor, 3: ceil); for cubic CUBIC_A.
#pragma once
#include "types.cuh"

struct axis_taps {
    int at[TAPS];
    float weight[TAPS];
    int n;
};

FERRY_INLINE int inside(double place, int size)
{
    return !(place > 0) ? 0 : place < size ? (int)place : size - 1;
}

FERRY_INLINE axis_taps find_taps(int o, double step, double offset, int size)
{
    axis_taps a;
    double source = fma((double)o, step, offset);
#if TAPS == 1
    // Positions that should be whole or half miss by the last bits: such a miss must not move the result.
    const double near = rint(2 * source) / 2, miss = fabs(source - near), far = fabs(source);
    if (miss <= 1e-6 * (far > 1 ? far : 1)) source = near;
    source = ROUNDING == 0   ? ceil(source - 0.5)
             : ROUNDING == 1 ? floor(source + 0.5)
             : ROUNDING == 2 ? floor(source)
                             : ceil(source);
    a.at[0] = inside(source, size);
    a.n = 1;
#else
    const double whole = floor(source);
    const float f = (float)(source - whole);
#if TAPS == 2
    a.weight[0] = 1.0f - f;
    a.weight[1] = f;
#else
    const float g = 1.0f - f, b = CUBIC_A;
    a.weight[0] = ((b * (f + 1) - 5 * b) * (f + 1) + 8 * b) * (f + 1) - 4 * b;
    a.weight[1] = ((b + 2) * f - (b + 3)) * f * f + 1;
    a.weight[2] = ((b + 2) * g - (b + 3)) * g * g + 1;
    a.weight[3] = ((b * (g + 1) - 5 * b) * (g + 1) + 8 * b) * (g + 1) - 4 * b;
#endif
    a.n = TAPS;
#pragma unroll
    for (int t = 0; t < TAPS; t++) a.at[t] = inside(whole + (t - (TAPS - 1) / 2), size);
    if (f == 0.0f) {
        a.n = 1;
        a.at[0] = a.at[(TAPS - 1) / 2];
        a.weight[0] = 1.0f;
    }
#endif
    return a;
}

// Threads [x] are runs of channels, [y] positions.
extern "C" __global__ void __launch_bounds__(128)
    ferry_resize(const X_TYPE *x, X_TYPE *y, int positions, int channels, int in_d, int in_h,
                 int in_w, int out_d, int out_h, int out_w, double step_d, double step_h, double step_w, double offset_d,
                 double offset_h, double offset_w, int x_row, int y_row)
{
    grid_dependency_launch();
    const int position = blockIdx.x * blockDim.y + threadIdx.y;
    const int channel = (blockIdx.y * blockDim.x + threadIdx.x) * WIDTH;
    if (position >= positions || channel >= channels) return;
    const int row = position / out_w, slice = row / out_h, picture = slice / out_d;
    const axis_taps d = find_taps(slice - picture * out_d, step_d, offset_d, in_d);
    const axis_taps h = find_taps(row - slice * out_h, step_h, offset_h, in_h);
    const axis_taps w = find_taps(position - row * out_w, step_w, offset_w, in_w);
    grid_dependency_wait();
    const X_TYPE *from = x + channel;
    X_TYPE *to = y + (long long)position * y_row + channel;
#if TAPS == 1
    typedef word<WIDTH * sizeof(X_TYPE)>::type run;
    const long long at = ((picture * in_d + d.at[0]) * in_h + h.at[0]) * in_w + w.at[0];
    *reinterpret_cast<run *>(to) = *reinterpret_cast<const run *>(from + at * x_row);
#else
    float sum[WIDTH];
#pragma unroll
    for (int e = 0; e < WIDTH; e++) sum[e] = 0.0f;
#pragma unroll
    for (int i = 0; i < TAPS; i++)
#pragma unroll
        for (int j = 0; j < TAPS; j++)
#pragma unroll
            for (int k = 0; k < TAPS; k++) {
                if (i >= d.n || j >= h.n || k >= w.n) continue;
                const long long at = ((picture * in_d + d.at[i]) * in_h + h.at[j]) * in_w + w.at[k];
                const float part = d.weight[i] * h.weight[j] * w.weight[k];
                float in[WIDTH];
                load<WIDTH>(from + at * x_row, in);
#pragma unroll
                for (int e = 0; e < WIDTH; e++) sum[e] = fmaf(in[e], part, sum[e]);
            }
    store<WIDTH>(to, sum);
#endif
}
