// SPDX-License-Identifier: Apache-2.0
// Products of a few rows with a matrix of constant weights: GROUP threads share an output column, each with a part of
// its sum, so that one row fills the GPU and weights are read once, in whole vectors, the first of them before the
// kernel in front ends. Weights lie [column][K].
// Set before: X_TYPE, W_TYPE, Y_TYPE, K, WIDTH (elements read at once; divides K), GROUP (a power of two, at most 128),
// ROWS (that a thread sums side by side), the chain.
#pragma once
#include "operands.cuh"

FERRY_INLINE void add_run(const W_TYPE (&f)[WIDTH], const X_TYPE *from, int x_row, int first, int rows,
                          float (&sum)[ROWS])
{
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        if (first + r >= rows) continue;
        float in[WIDTH];
        load<WIDTH>(from + (long long)r * x_row, in);
#pragma unroll
        for (int e = 0; e < WIDTH; e++) sum[r] = fmaf(in[e], to_float(f[e]), sum[r]);
    }
}

extern "C" __global__ void __launch_bounds__(128)
    ferry_vector_product(const X_TYPE *x, const W_TYPE *w, const float *bias,
                         Y_TYPE *y, int rows, int columns, int x_row, int y_row OPERAND_PARAMETERS)
{
    grid_dependency_launch();
    constexpr int vectors = (K / WIDTH + GROUP - 1) / GROUP, ahead = vectors < 4 ? vectors : 4; // of a thread
    constexpr int lanes = GROUP < 32 ? GROUP : 32, warps = GROUP / lanes;
    const int column = blockIdx.x * (128 / GROUP) + threadIdx.x / GROUP, part = threadIdx.x % GROUP;
    const int first = blockIdx.y * ROWS, last = columns - 1;
    const W_TYPE *filter = w + (long long)(column < last ? column : last) * K;
    const X_TYPE *from = x + (long long)first * x_row;
    W_TYPE early[ahead][WIDTH];
#pragma unroll
    for (int i = 0; i < ahead; i++) {
        const int k = (part + i * GROUP) * WIDTH;
        if (k < K) load_raw<WIDTH>(filter + k, early[i]);
    }
    const float b = bias[column < last ? column : last];
    grid_dependency_wait();
    float sum[ROWS];
#pragma unroll
    for (int r = 0; r < ROWS; r++) sum[r] = 0.0f;
#pragma unroll
    for (int i = 0; i < ahead; i++) {
        const int k = (part + i * GROUP) * WIDTH;
        if (k < K) add_run(early[i], from + k, x_row, first, rows, sum);
    }
#pragma unroll 4
    for (int k = (part + ahead * GROUP) * WIDTH; k < K; k += GROUP * WIDTH) {
        W_TYPE f[WIDTH];
        load_raw<WIDTH>(filter + k, f);
        add_run(f, from + k, x_row, first, rows, sum);
    }
#pragma unroll
    for (int r = 0; r < ROWS; r++)
#pragma unroll
        for (int lane = lanes / 2; lane > 0; lane /= 2) sum[r] += __shfl_xor_sync(0xffffffffu, sum[r], lane);
    if (warps > 1) {
        __shared__ float shared[4][ROWS];
        if (threadIdx.x % 32 == 0) {
#pragma unroll
            for (int r = 0; r < ROWS; r++) shared[threadIdx.x / 32][r] = sum[r];
        }
        __syncthreads();
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
#pragma unroll
            for (int i = 1; i < warps; i++) sum[r] += part == 0 ? shared[threadIdx.x / 32 + i][r] : 0.0f;
        }
    }
    if (part != 0 || column >= columns) return;
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        if (first + r >= rows) continue;
        float v[1] = {sum[r] + b};
        finish<1>(v, y, y_row, first + r, first + r, column OPERANDS);
    }
}
