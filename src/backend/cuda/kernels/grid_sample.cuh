// SPDX-License-Identifier: Apache-2.0
// GridSample over two spatial dimensions: where each position looks is found in doubles, as the reference does.
// Set before: TYPE, GRID_TYPE, TAPS (1: nearest, 2: linear, 4: cubic), PADDING (0: zeros, 1: border, 2: reflection),
// ALIGNED (whether -1 and 1 are the corners' centres).
#pragma once
#include "types.cuh"

// Elements that one dimension contributes, with their weights; at -1: a zero.
struct grid_taps {
    int at[TAPS];
    float weight[TAPS];
};

// Thrown back at both ends as often as needed.
FERRY_INLINE double reflect(double x, double least, double most)
{
    const double range = most - least;
    if (!(range > 0)) return least;
    const bool below = x < least;
    const double beyond = below ? least - x : x - most;
    if (beyond <= 0) return x;
    const double turns = floor(beyond / range), rest = beyond - turns * range;
    const bool turned = turns - 2 * floor(turns / 2) != 0;
    return below != turned ? least + rest : most - rest;
}

FERRY_INLINE int element_at(double at, double least, double most, int size)
{
    if (PADDING == 2) at = trunc(reflect(at, least, most));
    if (at >= 0 && at < (double)size) return (int)at;
    return PADDING == 0 ? -1 : at >= (double)size ? size - 1 : 0; // NaN becomes the first
}

FERRY_INLINE grid_taps find_taps(double position, int size)
{
    const double length = (double)size, least = ALIGNED ? 0 : -0.5, most = ALIGNED ? length - 1 : length - 0.5;
    double x = ALIGNED ? (position + 1) / 2 * (length - 1) : ((position + 1) * length - 1) / 2;
    if (TAPS == 1) x = rint(x);
    if (x < least || x > most) {
        if (PADDING == 1) x = fmin(fmax(x, 0.0), length - 1);
        if (PADDING == 2) x = reflect(x, least, most);
    }
    // As far outside as any tap can matter; infinity has no fraction.
    if (!(fabs(x) <= 2 * length + 8)) x = x > 0 ? 2 * length + 8 : -2 * length - 8;
    const double first = TAPS == 1 ? rint(x) : floor(x);
    grid_taps t;
#if TAPS == 1
    t.weight[0] = 1.0f;
#elif TAPS == 2
    t.weight[1] = (float)(x - first);
    t.weight[0] = 1.0f - t.weight[1];
#else
    const float f = (float)(x - first), g = 1.0f - f, a = -0.75f;
    t.weight[0] = ((a * (f + 1) - 5 * a) * (f + 1) + 8 * a) * (f + 1) - 4 * a;
    t.weight[1] = ((a + 2) * f - (a + 3)) * f * f + 1;
    t.weight[2] = ((a + 2) * g - (a + 3)) * g * g + 1;
    t.weight[3] = ((a * (g + 1) - 5 * a) * (g + 1) + 8 * a) * (g + 1) - 4 * a;
#endif
#pragma unroll
    for (int i = 0; i < TAPS; i++) t.at[i] = element_at(first + i - (TAPS == 4), least, most, size);
    return t;
}

// A thread makes EACH channels of a position.
#define EACH 8
extern "C" __global__ void __launch_bounds__(128)
    ferry_grid_sample(const TYPE *x, const GRID_TYPE *grid, TYPE *y,
                      unsigned positions, int channels, int in_h, int in_w, unsigned out_plane)
{
    grid_dependency_launch();
    grid_dependency_wait();
    const unsigned position = blockIdx.x * 128u + threadIdx.x;
    if (position >= positions) return;
    const unsigned picture = position / out_plane, o = position - picture * out_plane;
    // A position names the last dimension first.
    const grid_taps w = find_taps((double)to_float(grid[2 * (size_t)position]), in_w);
    const grid_taps h = find_taps((double)to_float(grid[2 * (size_t)position + 1]), in_h);
    const int begin = (int)blockIdx.y * EACH, end = begin + EACH < channels ? begin + EACH : channels;
    for (int c = begin; c < end; c++) {
        const TYPE *plane = x + ((size_t)picture * channels + c) * in_h * in_w;
        float sum = 0.0f;
#pragma unroll
        for (int i = 0; i < TAPS; i++)
#pragma unroll
            for (int j = 0; j < TAPS; j++)
                if (h.at[i] >= 0 && w.at[j] >= 0)
                    sum = fmaf(h.weight[i] * w.weight[j], to_float(plane[h.at[i] * in_w + w.at[j]]), sum);
        y[((size_t)picture * channels + c) * out_plane + o] = element<TYPE>::of(sum);
    }
}
