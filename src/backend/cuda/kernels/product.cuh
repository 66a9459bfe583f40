// SPDX-License-Identifier: Apache-2.0
// y[rows][columns] = chain(left * right + bias), a tile of TILE_M x TILE_N a block. The elements of a row are cut among
// SPLIT blocks where there are too few tiles to fill the chip, and among SLICES groups of warps in a block. Shared
// memory is a ring of STAGES tiles of both sides, filled while others are multiplied; at last it holds the sums, so that
// neighbouring threads store neighbouring channels.
// Set before: what product_rows.cuh and product_store.cuh ask for, MMA (0 or 1), STAGES, SPLIT.
#pragma once
#include "product_rows.cuh"
#include "product_store.cuh"
#if MMA
#include "product_mma.cuh"
#else
#include "product_simt.cuh"
#endif

constexpr int left_bytes = TILE_M * 128, stage_bytes = left_bytes + TILE_N * 128;

// Adds up steps [begin, end) of the tile that begins at row `m` and column `n`.
FERRY_INLINE void multiply(const X_TYPE *x, const X_TYPE *w, const left_shape &shape, int m, int n, int steps,
                           int begin, int end, unsigned char *shared, sums &out)
{
    left_rows left;
    right_rows right;
    right.begin(w, n, begin * tile_k, steps * tile_k);
    // The weights are there already when the kernel before, which makes x, is still running.
#pragma unroll
    for (int s = 0; s < STAGES - 1; s++)
        if (begin + s < end) right.copy(shared + s * stage_bytes + left_bytes);
    grid_dependency_wait();
    left.begin(x, shape, m, begin * tile_k);
#pragma unroll
    for (int s = 0; s < STAGES - 1; s++) {
        if (begin + s < end) left.copy(shared + s * stage_bytes, shape);
        cp_async_commit();
    }
    out.begin();
    int used = 0, filled = (STAGES - 1) * stage_bytes;
    for (int step = begin; step < end; step++) {
        cp_async_wait<STAGES - 2>();
        __syncthreads();
        if (step + STAGES - 1 < end) {
            left.copy(shared + filled, shape);
            right.copy(shared + filled + left_bytes);
        }
        cp_async_commit();
        out.add(shared + used, shared + used + left_bytes);
        used = used + stage_bytes == STAGES * stage_bytes ? 0 : used + stage_bytes;
        filled = filled + stage_bytes == STAGES * stage_bytes ? 0 : filled + stage_bytes;
    }
    cp_async_wait<0>();
    __syncthreads();
}

FERRY_INLINE void add_eight(const float *from, float (&to)[8])
{
    float v[8];
    load<8>(from, v);
#pragma unroll
    for (int e = 0; e < 8; e++) to[e] += v[e];
}

extern "C" __global__ void __launch_bounds__(threads)
    ferry_product(const X_TYPE *__restrict__ x, const X_TYPE *__restrict__ w, const float *__restrict__ bias, Y_TYPE *y,
                  float *partial, int rows, int columns, int steps, int channels, int depth, int x_pitch,
                  int x_channel_step, int x_picture, int x_line, int in_h, int in_w, int out_w, int plane, int pad_h,
                  int pad_w, int y_pitch FERRY_EACH_OPERAND(PARAMETER) FERRY_EACH_OPERAND(PITCH_PARAMETER))
{
    FERRY_DYNAMIC_SHARED(unsigned char, shared);
    grid_dependency_launch();
    const left_shape shape = {rows,   channels, depth, x_pitch, x_channel_step, x_picture, x_line,
                              in_h,   in_w,     out_w, plane,   pad_h,          pad_w};
    const int tiles_n = (columns + TILE_N - 1) / TILE_N, tile_m = blockIdx.x / tiles_n;
    const int m = tile_m * TILE_M, n = ((int)blockIdx.x - tile_m * tiles_n) * TILE_N;
    const int each = (steps + SPLIT - 1) / SPLIT, begin = blockIdx.z * each;
    sums d;
    multiply(x, w, shape, m, n, steps, begin, min(begin + each, steps), shared, d);
    float *tile = reinterpret_cast<float *>(shared);
    d.put(tile);
    __syncthreads();
    store_to to;
    to.y = y, to.bias = bias, to.columns = columns, to.pitch = y_pitch, to.plane = plane;
    FERRY_EACH_OPERAND(GIVE)
    to.begin();
#pragma unroll 2
    for (int i = threadIdx.x; i < TILE_M * TILE_N / 8; i += threads) {
        const int row = i / (TILE_N / 8), column = i % (TILE_N / 8) * 8;
        if (m + row >= rows || n + column >= columns) continue;
        float v[8];
        load<8>(tile + row * sum_pitch + column, v);
#pragma unroll
        for (int s = 1; s < SLICES; s++) add_eight(tile + (s * TILE_M + row) * sum_pitch + column, v);
        if (SPLIT > 1)
            store<8>(partial + ((long long)blockIdx.z * rows + m + row) * (tiles_n * TILE_N) + n + column, v);
        else
            to(m + row, n + column, v);
    }
}

#if SPLIT > 1
// Adds up what the blocks of each tile have left in `partial`, always in the same order.
extern "C" __global__ void __launch_bounds__(128)
    ferry_product_finish(const float *__restrict__ partial, const float *__restrict__ bias, Y_TYPE *y, int rows,
                         int columns, int plane,
                         int y_pitch FERRY_EACH_OPERAND(PARAMETER) FERRY_EACH_OPERAND(PITCH_PARAMETER))
{
    grid_dependency_launch();
    const int width = (columns + TILE_N - 1) / TILE_N * TILE_N, eights = (columns + 7) / 8;
    const int i = blockIdx.x * 128 + threadIdx.x, row = i / eights, column = (i - row * eights) * 8;
    grid_dependency_wait();
    if (row >= rows) return;
    store_to to;
    to.y = y, to.bias = bias, to.columns = columns, to.pitch = y_pitch, to.plane = plane;
    FERRY_EACH_OPERAND(GIVE)
    to.begin();
    float v[8];
    load<8>(partial + (long long)row * width + column, v);
#pragma unroll
    for (int s = 1; s < SPLIT; s++) add_eight(partial + ((long long)s * rows + row) * width + column, v);
    to(row, column, v);
}
#endif
