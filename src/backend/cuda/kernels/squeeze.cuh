// SPDX-License-Identifier: Apache-2.0
// Squeeze and excitation behind the parts of a pooled plane: means, a small product to HIDDEN numbers, another one to a
// number for each channel. Every block does the first product for itself, which takes less time than a launch, and reads
// its weights before the kernel in front ends. Weights lie [HIDDEN][CHANNELS] and [HIDDEN][columns].
// Set before: W_TYPE, V_TYPE (first and second weights), Y_TYPE, CHANNELS, HIDDEN, WIDTH (weights read at once; divides
// CHANNELS), the chains squeeze_chain and ferry_chain, which have no operands.
#pragma once
#include "types.cuh"

#define THREADS 256
#define WARPS (THREADS / 32)

constexpr int columns_each = (HIDDEN + WARPS - 1) / WARPS;           // of the first product, for a warp
constexpr int vectors_each = (CHANNELS + 32 * WIDTH - 1) / (32 * WIDTH); // of a column, for a lane

extern "C" __global__ void __launch_bounds__(THREADS, 1)
    ferry_squeeze(const float *partial, const W_TYPE *w, const float *w_bias,
                  const V_TYPE *v, const float *v_bias, Y_TYPE *y, int parts,
                  int plane, int columns, int y_row)
{
    __shared__ __align__(16) float mean[CHANNELS];
    __shared__ float hidden[HIDDEN];
    const int thread = threadIdx.x, lane = thread % 32, warp = thread / 32, picture = blockIdx.y;
    const int column = blockIdx.x * THREADS + thread;
    typedef typename word<WIDTH * (int)sizeof(W_TYPE)>::type run;
    union {
        run words[columns_each][vectors_each];
        W_TYPE elements[columns_each][vectors_each][WIDTH];
    } first;
    grid_dependency_launch();
#pragma unroll
    for (int c = 0; c < columns_each; c++)
#pragma unroll
        for (int i = 0; i < vectors_each; i++) {
            const int at = warp + c * WARPS, k = (lane + i * 32) * WIDTH;
            if (at < HIDDEN && k < CHANNELS) first.words[c][i] = *reinterpret_cast<const run *>(w + at * CHANNELS + k);
        }
    grid_dependency_wait();
    for (int k = thread; k < CHANNELS; k += THREADS) {
        const float *from = partial + (long long)picture * parts * CHANNELS + k;
        float sum = 0.0f;
#pragma unroll 8
        for (int p = 0; p < parts; p++) sum += from[p * CHANNELS];
        mean[k] = sum / (float)plane;
    }
    __syncthreads();
#pragma unroll
    for (int c = 0; c < columns_each; c++) {
        const int at = warp + c * WARPS;
        float sum = 0.0f;
#pragma unroll
        for (int i = 0; i < vectors_each; i++) {
            const int k = (lane + i * 32) * WIDTH;
            if (at >= HIDDEN || k >= CHANNELS) continue;
#pragma unroll
            for (int e = 0; e < WIDTH; e++) sum = fmaf(mean[k + e], to_float(first.elements[c][i][e]), sum);
        }
#pragma unroll
        for (int other = 16; other > 0; other /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, other);
        if (lane == 0 && at < HIDDEN) hidden[at] = squeeze_chain(sum + w_bias[at]);
    }
    // The registers of the first product's weights are free for those of the second.
    V_TYPE second[HIDDEN];
#pragma unroll
    for (int h = 0; h < HIDDEN; h++)
        if (column < columns) second[h] = v[h * columns + column];
    __syncthreads();
    if (column >= columns) return;
    float sum = v_bias[column];
#pragma unroll
    for (int h = 0; h < HIDDEN; h++) sum = fmaf(hidden[h], to_float(second[h]), sum);
    y[(long long)picture * y_row + column] = element<Y_TYPE>::of(ferry_chain(sum));
}
