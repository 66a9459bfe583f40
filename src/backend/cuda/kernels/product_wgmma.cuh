// SPDX-License-Identifier: Apache-2.0
// Products by the warpgroups of sm_90a, which read both sides where they lie in shared memory. A ring of STAGES tiles:
// one is multiplied while the one before is done with and others are filled, so that the matrix units never wait for a
// barrier. Each warp stores its own rows, by way of its own part of shared memory.
// Set before: what product_rows.cuh and product_store.cuh ask for, STAGES; WARPS_M is a multiple of four.
#pragma once
#include "product_rows.cuh"
#include "product_store.cuh"
#include "warpgroup.cuh"

template <int N> FERRY_INLINE void multiply_add(float (&d)[N], unsigned long long a, unsigned long long b, f16)
{
    wgmma_f16(d, a, b);
}
template <int N> FERRY_INLINE void multiply_add(float (&d)[N], unsigned long long a, unsigned long long b, bf16)
{
    wgmma_bf16(d, a, b);
}
template <int N> FERRY_INLINE void multiply_add(int (&d)[N], unsigned long long a, unsigned long long b, s8)
{
    wgmma_s8(d, a, b);
}

constexpr int left_bytes = TILE_M * 128, stage_bytes = left_bytes + TILE_N * 128;
constexpr int ahead = STAGES - 2; // tiles on their way while two are in use
static_assert(ahead > 0, "one tile is filled while two are in use");

struct sums {
    static constexpr int groups_m = WARPS_M / 4, blocks = TILE_M / (64 * groups_m), width = TILE_N / WARPS_N;
    static_assert(WARPS_M % 4 == 0 && blocks * 64 * groups_m == TILE_M, "whole warpgroups");
    sum_type d[blocks][width / 2];
    int m, n; // where the group's part begins

    __device__ __forceinline__ void begin()
    {
        const int group = threadIdx.x / 128;
        m = group % groups_m * (64 * blocks);
        n = group / groups_m * width;
#pragma unroll
        for (int i = 0; i < blocks; i++)
#pragma unroll
            for (int j = 0; j < width / 2; j++) d[i][j] = 0;
    }
    __device__ __forceinline__ void add(const unsigned char *left, const unsigned char *right)
    {
        const unsigned long long b = shared_rows(right + n * 128);
        wgmma_fence();
#pragma unroll
        for (int k = 0; k < 4; k++)
#pragma unroll
            for (int i = 0; i < blocks; i++)
                multiply_add(d[i], shared_rows(left + (m + 64 * i) * 128) + 2 * k, b + 2 * k, X_TYPE());
        wgmma_commit();
    }
};

FERRY_INLINE int next_stage(int at)
{
    return at + stage_bytes == STAGES * stage_bytes ? 0 : at + stage_bytes;
}

// What the chain reads of the tile is in the second-level cache when the sums are there.
#define FETCH_AHEAD(i, kind, type)                                                                                     \
    if (kind == 0) {                                                                                                   \
        constexpr int lines = TILE_N * (int)sizeof(type) / 128;                                                        \
        for (int at = threadIdx.x; at < TILE_M * lines; at += threads) {                                               \
            const int row = m + at / lines, column = n + at % lines * (128 / (int)sizeof(type));                       \
            if (row < rows && column < columns) prefetch_l2(o##i + (long long)row * pitch##i + column);                \
        }                                                                                                              \
    }

// Two blocks hide each other's waits where the sums leave them registers.
constexpr int at_a_time = TILE_M * TILE_N / threads <= 64 ? 2 : 1;
constexpr int run = 64, run_pitch = run + 8; // columns that a warp stores at a time

extern "C" __global__ void __launch_bounds__(threads, at_a_time)
    ferry_product(const X_TYPE *__restrict__ x, const X_TYPE *__restrict__ w, const float *__restrict__ bias, Y_TYPE *y,
                  sum_type *, int rows, int columns, int steps, int channels, int depth, int x_pitch,
                  int x_channel_step, int x_picture, int x_line, int in_h, int in_w, int out_w, int plane, int pad_h,
                  int pad_w, int y_pitch FERRY_EACH_OPERAND(PARAMETER) FERRY_EACH_OPERAND(PITCH_PARAMETER))
{
    FERRY_DYNAMIC_SHARED(unsigned char, shared);
    grid_dependency_launch();
    const left_shape shape = {rows,   channels, depth, x_pitch, x_channel_step, x_picture, x_line,
                              in_h,   in_w,     out_w, plane,   pad_h,          pad_w};
    const int tiles_n = (columns + TILE_N - 1) / TILE_N, tile_m = blockIdx.x / tiles_n;
    const int m = tile_m * TILE_M, n = ((int)blockIdx.x - tile_m * tiles_n) * TILE_N;
    left_rows left;
    right_rows right;
    right.begin(w, n, 0, steps * tile_k);
    // The weights are there already when the kernel before, which makes x, is still running.
#pragma unroll
    for (int s = 0; s < ahead; s++)
        if (s < steps) right.copy(shared + s * stage_bytes + left_bytes);
    grid_dependency_wait();
    left.begin(x, shape, m, 0);
#pragma unroll
    for (int s = 0; s < ahead; s++) {
        if (s < steps) left.copy(shared + s * stage_bytes, shape);
        cp_async_commit();
    }
    FERRY_EACH_OPERAND(FETCH_AHEAD)
    sums sum;
    sum.begin();
    for (int step = 0, used = 0, filled = ahead * stage_bytes; step < steps; step++) {
        // Of the tiles in use all but the last are done with behind this barrier.
        cp_async_wait<ahead - 1>();
        shared_stores_fence();
        __syncthreads();
        sum.add(shared + used, shared + used + left_bytes);
        if (step + ahead < steps) {
            left.copy(shared + filled, shape);
            right.copy(shared + filled + left_bytes);
        }
        cp_async_commit();
        wgmma_wait<1>();
        used = next_stage(used);
        filled = next_stage(filled);
    }
    wgmma_wait<0>();
#pragma unroll
    for (int i = 0; i < sums::blocks; i++) wgmma_read(sum.d[i]);
    __syncthreads();

    store_to to;
    to.y = y, to.bias = bias, to.rows = rows, to.columns = columns, to.pitch = y_pitch, to.plane = plane;
    FERRY_EACH_OPERAND(GIVE)
    to.begin();
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    sum_type *const own = reinterpret_cast<sum_type *>(shared) + warp * 16 * run_pitch;
#pragma unroll
    for (int i = 0; i < sums::blocks; i++)
#pragma unroll
        for (int j = 0; j < sums::width / run; j++) {
            const int row = m + sum.m + 64 * i + warp % 4 * 16 + lane / 8, column = n + sum.n + run * j + lane % 8 * 8;
            operands with[4];
#pragma unroll
            for (int r = 0; r < 4; r++) to.fetch(row + 4 * r, column, with[r]);
            __syncwarp();
#pragma unroll
            for (int q = 0; q < 2 * run / 8; q++) {
                const sum_type *d = &sum.d[i][j * (run / 2) + q / 2 * 4 + q % 2 * 2], pair[2] = {d[0], d[1]};
                store_raw<2>(own + (lane / 4 + q % 2 * 8) * run_pitch + q / 2 * 8 + lane % 4 * 2, pair);
            }
            __syncwarp();
#pragma unroll
            for (int r = 0; r < 4; r++) {
                sum_type v[8];
                load_raw<8>(own + (4 * r + lane / 8) * run_pitch + lane % 8 * 8, v);
                if (to.has(row + 4 * r, column)) to.finish(row + 4 * r, column, v, with[r]);
            }
        }
}
