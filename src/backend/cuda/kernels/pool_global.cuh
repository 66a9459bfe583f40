// SPDX-License-Identifier: Apache-2.0
// Maximum and average over whole planes, in two steps so that a single picture fills the GPU: blocks take parts of a
// plane, then the parts of each channel are put together. With one part there is one step.
// Set before: X_TYPE, WIDTH, MAXIMUM (0 or 1), LAST (1: channels last; 0: each channel's plane lies together).
#pragma once
#include "types.cuh"

FERRY_INLINE float put_together(float a, float b)
{
#if MAXIMUM
    return b > a || b != b ? b : a;
#else
    return a + b;
#endif
}

#define NOTHING (MAXIMUM ? -__int_as_float(0x7f800000) : 0.0f)

FERRY_INLINE float finished(float v, int plane)
{
    return MAXIMUM ? v : v / (float)plane;
}

#if LAST
// Threads [x] are runs of channels, [y] positions; a block's shared memory has WIDTH floats for each thread.
// Without y, partial[picture][part][channel] is written.
extern "C" __global__ void __launch_bounds__(256)
    ferry_pool_parts(const X_TYPE *x, X_TYPE *y, float *partial, int channels,
                     int plane, int parts, int each, int x_row, int y_row)
{
    grid_dependency_launch();
    grid_dependency_wait();
    FERRY_DYNAMIC_SHARED(float, shared);
    const int picture = blockIdx.z, part = blockIdx.x, rows = blockDim.y;
    const int channel = (blockIdx.y * blockDim.x + threadIdx.x) * WIDTH;
    const int end = (part + 1) * each < plane ? (part + 1) * each : plane;
    float v[WIDTH];
#pragma unroll
    for (int e = 0; e < WIDTH; e++) v[e] = NOTHING;
    if (channel < channels) {
        const X_TYPE *from = x + (long long)picture * plane * x_row + channel;
#pragma unroll 4
        for (int p = part * each + threadIdx.y; p < end; p += rows) {
            float in[WIDTH];
            load<WIDTH>(from + (long long)p * x_row, in);
#pragma unroll
            for (int e = 0; e < WIDTH; e++) v[e] = put_together(v[e], in[e]);
        }
    }
    float *mine = shared + (threadIdx.y * blockDim.x + threadIdx.x) * WIDTH;
#pragma unroll
    for (int e = 0; e < WIDTH; e++) mine[e] = v[e];
    // Rows are a power of two.
    for (int half = rows / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.y < half) {
#pragma unroll
            for (int e = 0; e < WIDTH; e++) mine[e] = put_together(mine[e], mine[half * blockDim.x * WIDTH + e]);
        }
    }
    if (threadIdx.y != 0 || channel >= channels) return;
#pragma unroll
    for (int e = 0; e < WIDTH; e++) v[e] = mine[e];
    if (!y) {
        store<WIDTH>(partial + ((long long)picture * parts + part) * channels + channel, v);
        return;
    }
#pragma unroll
    for (int e = 0; e < WIDTH; e++) v[e] = finished(v[e], plane);
    store<WIDTH>(y + (long long)picture * y_row + channel, v);
}

// Threads [x] are 32 channels, [y] 8 of their parts.
extern "C" __global__ void __launch_bounds__(256)
    ferry_pool_whole(const float *partial, X_TYPE *y, int channels, int plane, int parts,
                     int y_row)
{
    grid_dependency_launch();
    grid_dependency_wait();
    __shared__ float shared[8][32];
    const int channel = blockIdx.x * 32 + threadIdx.x, picture = blockIdx.y;
    float v = NOTHING;
    if (channel < channels) {
        const float *from = partial + (long long)picture * parts * channels + channel;
#pragma unroll 4
        for (int part = threadIdx.y; part < parts; part += 8)
            v = put_together(v, from[(long long)part * channels]);
    }
    shared[threadIdx.y][threadIdx.x] = v;
    __syncthreads();
    if (threadIdx.y != 0 || channel >= channels) return;
#pragma unroll
    for (int i = 1; i < 8; i++) v = put_together(v, shared[i][threadIdx.x]);
    y[(long long)picture * y_row + channel] = element<X_TYPE>::of(finished(v, plane));
}
#else
// A warp a plane.
extern "C" __global__ void __launch_bounds__(128)
    ferry_pool_planes(const X_TYPE *x, X_TYPE *y, int planes, int plane)
{
    grid_dependency_launch();
    grid_dependency_wait();
    const int which = blockIdx.x * 4 + threadIdx.y;
    if (which >= planes) return;
    const X_TYPE *from = x + (long long)which * plane;
    float v = NOTHING;
#pragma unroll 4
    for (int p = threadIdx.x; p < plane; p += 32) v = put_together(v, to_float(from[p]));
#pragma unroll
    for (int lane = 16; lane > 0; lane /= 2) v = put_together(v, __shfl_xor_sync(0xffffffffu, v, lane));
    if (threadIdx.x == 0) y[which] = element<X_TYPE>::of(finished(v, plane));
}
#endif
