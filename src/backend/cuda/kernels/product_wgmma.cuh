// SPDX-License-Identifier: Apache-2.0
// Products by the warpgroups of sm_90a, which read both sides where they lie in shared memory. A ring of STAGES stages:
// one is multiplied while the one before is done with and others are filled, so that the matrix units never wait for a
// barrier. Each warp stores its own rows, by way of its own part of shared memory. A block makes one tile or, as a
// stream, one after another: the next one's sides are on their way while the sums of this one are stored.
// Set before: what product_rows.cuh and product_store.cuh ask for, STAGES, STREAM (0 or 1), RESIDENT (blocks
// of a multiprocessor); WARPS_M is a multiple of 4.
#pragma once
#include "product_warpgroup.cuh"
#include "product_store.cuh"

// Tiles on their way to shared memory: step after step of the block's tiles, as if they were one.
struct source {
    left_rows left;
    right_rows right;
    int tile, step, at; // at: of the stage that is filled next

    __device__ __forceinline__ void begin_right(const X_TYPE *w, int tiles_n, int steps)
    {
        right.begin(w, tile % tiles_n * TILE_N, 0, steps * tile_k);
    }
    __device__ __forceinline__ void begin_left(const X_TYPE *x, const left_shape &shape, int tiles_n)
    {
        left.begin(x, shape, tile / tiles_n * TILE_M, 0);
    }
};

// What the chain reads of a tile is in the second-level cache when its sums are there.
#define FETCH_AHEAD(i, kind, type)                                                                                     \
    if (kind == 0) {                                                                                                   \
        constexpr int lines = (TILE_N * (int)sizeof(type) + 127) / 128;                                                \
        for (int at = threadIdx.x; at < TILE_M * lines; at += threads) {                                               \
            const int row = m + at / lines, column = n + at % lines * (128 / (int)sizeof(type));                       \
            if (row < rows && column < columns) prefetch_l2(o##i + (long long)row * pitch##i + column);                \
        }                                                                                                              \
    }

constexpr int run = 64; // columns that a warp stores at a time
// Rows whose operands are on their way at a time, of the four that a lane stores.
constexpr int group = TILE_M * TILE_N / threads * RESIDENT < 128 ? 4 : 2;

// Of a warp's 16 rows of sums: turned, so that those written or read at a time meet all banks.
FERRY_INLINE int sum_at(int row, int column)
{
    return row * run + (column ^ (row & 7) << 3);
}

extern "C" __global__ void __launch_bounds__(threads, RESIDENT)
    ferry_product(const X_TYPE *x, const X_TYPE *__restrict__ w, const float *__restrict__ bias, Y_TYPE *y,
                  sum_type *, int rows, int columns, int steps, int channels, int depth, int x_pitch,
                  int x_channel_step, int x_picture, int x_line, int in_h, int in_w, int out_w, int plane, int pad_h,
                  int pad_w, int y_pitch FERRY_EACH_OPERAND(PARAMETER) FERRY_EACH_OPERAND(PITCH_PARAMETER))
{
    FERRY_DYNAMIC_SHARED(unsigned char, shared);
    grid_dependency_launch();
    const left_shape shape = {rows,   channels, depth, x_pitch, x_channel_step, x_picture, x_line,
                              in_h,   in_w,     out_w, plane,   pad_h,          pad_w};
    const int tiles_n = (columns + TILE_N - 1) / TILE_N, tiles = (rows + TILE_M - 1) / TILE_M * tiles_n;
    source from;
    from.tile = blockIdx.x, from.step = 0, from.at = 0;
    // The weights are there already when the kernel before, which makes x, is still running.
    from.begin_right(w, tiles_n, steps);
    const int first = min(ahead, steps);
    for (int s = 0; s < first; s++) from.right.copy(shared + s * stage_bytes + left_bytes);
    grid_dependency_wait();
    from.begin_left(x, shape, tiles_n);
    {
        const int m = from.tile / tiles_n * TILE_M, n = from.tile % tiles_n * TILE_N;
        FERRY_EACH_OPERAND(FETCH_AHEAD)
    }
    const auto fill = [&](bool with_right) {
        if (from.tile < tiles) {
            from.left.copy(shared + from.at, shape);
            if (with_right) from.right.copy(shared + from.at + left_bytes);
            if (++from.step == steps) {
                from.step = 0;
                from.tile += gridDim.x;
                if (STREAM && from.tile < tiles) {
                    from.begin_right(w, tiles_n, steps);
                    from.begin_left(x, shape, tiles_n);
                    const int m = from.tile / tiles_n * TILE_M, n = from.tile % tiles_n * TILE_N;
                    FERRY_EACH_OPERAND(FETCH_AHEAD)
                }
            }
        }
        from.at = next_stage(from.at);
        cp_async_commit();
    };
    for (int s = 0; s < ahead; s++) fill(s >= first);

    store_to to;
    to.y = y, to.bias = bias, to.rows = rows, to.columns = columns, to.pitch = y_pitch, to.plane = plane;
    FERRY_EACH_OPERAND(GIVE)
    to.begin();
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    sum_type *const own =
        reinterpret_cast<sum_type *>(shared + (STREAM ? STAGES * stage_bytes : 0)) + warp * 16 * run;
    sums sum;
    for (int tile = blockIdx.x, used = 0; tile < tiles; tile += gridDim.x) {
        sum.begin();
        for (int step = 0; step < steps; step++) {
            // Of the stages in use all but the last are done with behind this barrier.
            cp_async_wait<ahead - 1>();
            shared_stores_fence();
            __syncthreads();
            sum.add(shared + used, shared + used + left_bytes);
            fill(true);
            wgmma_wait<1>();
            used = next_stage(used);
        }
        sum.end();
        if (!STREAM) __syncthreads();
        const int m = tile / tiles_n * TILE_M + sum.m + warp % 4 * 16 + lane / 8;
        const int n = tile % tiles_n * TILE_N + sum.n + lane % 8 * 8;
#pragma unroll
        for (int i = 0; i < sums::blocks; i++)
#pragma unroll
            for (int j = 0; j < sums::width / run; j++) {
                const int row = m + 64 * i, column = n + run * j;
                factors by;
                operands with[group];
                to.fetch(column, by);
#pragma unroll
                for (int r = 0; r < group; r++) to.fetch(row + 4 * r, column, with[r]);
                __syncwarp();
#pragma unroll
                for (int q = 0; q < 2 * run / 8; q++) {
                    const sum_type *d = &sum.d[i][j * (run / 2) + q / 2 * 4 + q % 2 * 2], pair[2] = {d[0], d[1]};
                    store_raw<2>(own + sum_at(lane / 4 + q % 2 * 8, q / 2 * 8 + lane % 4 * 2), pair);
                }
                __syncwarp();
#pragma unroll
                for (int r = 0; r < 4; r++) {
                    sum_type v[8];
                    load_raw<8>(own + sum_at(4 * r + lane / 8, lane % 8 * 8), v);
                    if (to.has(row + 4 * r, column)) to.finish(row + 4 * r, column, v, by, with[r % group]);
                    if (r + group < 4) to.fetch(row + 4 * (r + group), column, with[r % group]);
                }
            }
    }
}
