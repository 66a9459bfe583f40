// SPDX-License-Identifier: Apache-2.0
// y[rows][columns] = chain(left * right + bias), or of int8 chain(left * right * mult + bias), a tile of TILE_M x TILE_N
// a block. The elements of a row are cut among SPLIT blocks where there are too few tiles to fill the chip, and among
// SLICES groups of warps in a block. Shared memory is a ring of tiles of both sides, filled while others are multiplied;
// at last it holds the sums, so that neighbouring threads store neighbouring channels.
// The blocks that share a tile are a cluster and add up each other's sums, or leave them to a second kernel.
// Set before: what product_rows.cuh and product_store.cuh ask for, MMA (0, 1, or 2: of warpgroups), STAGES, SPLIT,
// CLUSTER (0 or 1).
#pragma once
#include "product_rows.cuh"
#include "product_store.cuh"
#if MMA == 2
#include "product_warpgroup_ring.cuh"
#else
#if MMA
#include "product_mma.cuh"
#else
#include "product_simt.cuh"
#endif
#include "product_ring.cuh" // in one place: a text that is carried has each header once
#endif

FERRY_INLINE void add_eight(const sum_type *from, sum_type (&to)[8])
{
    sum_type v[8];
    load_raw<8>(from, v);
#pragma unroll
    for (int e = 0; e < 8; e++) to[e] += v[e];
}

// The sums of eight columns that the block has, or all blocks of the cluster.
#if CLUSTER
#define SHARE_A_TILE __cluster_dims__(1, 1, SPLIT)
FERRY_INLINE void add_four(const float4 &from, float *to)
{
    to[0] += from.x, to[1] += from.y, to[2] += from.z, to[3] += from.w;
}
FERRY_INLINE void add_four(const float4 &from, int *to) // bits of ints
{
    to[0] += __float_as_int(from.x), to[1] += __float_as_int(from.y);
    to[2] += __float_as_int(from.z), to[3] += __float_as_int(from.w);
}
FERRY_INLINE void add_blocks(const sum_type *from, sum_type (&to)[8])
{
    float4 low[SPLIT], high[SPLIT];
#pragma unroll
    for (unsigned rank = 0; rank < SPLIT; rank++) {
        low[rank] = cluster_load(reinterpret_cast<const float *>(from), rank);
        high[rank] = cluster_load(reinterpret_cast<const float *>(from) + 4, rank);
    }
#pragma unroll
    for (unsigned rank = 0; rank < SPLIT; rank++) {
        add_four(low[rank], to);
        add_four(high[rank], to + 4);
    }
}
#else
#define SHARE_A_TILE
FERRY_INLINE void add_blocks(const sum_type *from, sum_type (&to)[8])
{
#pragma unroll
    for (int s = 0; s < SLICES; s++) add_eight(from + s * TILE_M * sum_pitch, to);
}
#endif

// Of the tile's runs of eight columns.
FERRY_INLINE int row_of(int i) { return i / (TILE_N / 8); }
FERRY_INLINE int column_of(int i) { return i % (TILE_N / 8) * 8; }

// Leaves the sum of all slices where the first one's was.
FERRY_INLINE void add_slices(sum_type *tile)
{
    if (SLICES == 1) return;
    __syncthreads();
    for (int i = threadIdx.x; i < TILE_M * TILE_N / 8; i += threads) {
        sum_type v[8] = {};
        sum_type *at = tile + row_of(i) * sum_pitch + column_of(i);
#pragma unroll
        for (int s = 0; s < SLICES; s++) add_eight(at + s * TILE_M * sum_pitch, v);
        store_raw<8>(at, v);
    }
}

extern "C" __global__ void __launch_bounds__(threads) SHARE_A_TILE
    ferry_product(const X_TYPE *x, const X_TYPE *__restrict__ w, const float *__restrict__ bias, Y_TYPE *y,
                  sum_type *partial, int rows, int columns, int steps, int channels, int depth, int x_pitch,
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
    store_to to;
    to.y = y, to.bias = bias, to.rows = rows, to.columns = columns, to.pitch = y_pitch, to.plane = plane;
    FERRY_EACH_OPERAND(GIVE)
    to.begin();
    // The cluster's blocks share the tile's stores. What the chain reads for some of them is on its way before the sums
    // are there.
    constexpr int blocks = CLUSTER ? SPLIT : 1, stores = TILE_M * TILE_N / 8;
    constexpr int group = stores >= 4 * threads * blocks ? 4 : stores >= 2 * threads * blocks ? 2 : 1;
    constexpr bool chains = SPLIT == 1 || CLUSTER;
    const int first = (CLUSTER ? blockIdx.z * threads : 0) + threadIdx.x;
    static_assert(threads % (TILE_N / 8) == 0, "a thread's stores are of the same columns");
    factors by;
    operands with[group];
    if (chains) to.fetch(n + column_of(first), by);
#pragma unroll
    for (int g = 0; g < group; g++)
        if (chains) to.fetch(m + row_of(first + g * threads * blocks), n + column_of(first + g * threads * blocks), with[g]);
    sum_type *tile = reinterpret_cast<sum_type *>(shared);
    d.put(tile);
#if CLUSTER
    add_slices(tile);
    cluster_sync();
#else
    __syncthreads();
#endif
    for (int i = first; i < stores; i += group * threads * blocks) {
#pragma unroll
        for (int g = 0; g < group; g++) {
            const int at = i + g * threads * blocks, row = row_of(at), column = column_of(at);
            if (at >= stores || !to.has(m + row, n + column)) continue;
            sum_type v[8] = {};
            add_blocks(tile + row * sum_pitch + column, v);
            if (chains)
                to.finish(m + row, n + column, v, by, with[g]);
            else
                store_raw<8>(partial + ((long long)blockIdx.z * rows + m + row) * (tiles_n * TILE_N) + n + column, v);
        }
#pragma unroll
        for (int g = 0; g < group; g++) {
            const int at = i + (group + g) * threads * blocks;
            if (chains && at < stores) to.fetch(m + row_of(at), n + column_of(at), with[g]);
        }
    }
#if CLUSTER
    cluster_sync(); // nobody leaves while others read its sums
#endif
}

#if SPLIT > 1 && !CLUSTER
// Adds up what the blocks of each tile have left in `partial`, always in the same order.
extern "C" __global__ void __launch_bounds__(128)
    ferry_product_finish(const sum_type *partial, const float *__restrict__ bias, Y_TYPE *y, int rows,
                         int columns, int plane,
                         int y_pitch FERRY_EACH_OPERAND(PARAMETER) FERRY_EACH_OPERAND(PITCH_PARAMETER))
{
    grid_dependency_launch();
    const int width = (columns + TILE_N - 1) / TILE_N * TILE_N, eights = (columns + 7) / 8;
    const int i = blockIdx.x * 128 + threadIdx.x, row = i / eights, column = (i - row * eights) * 8;
    grid_dependency_wait();
    if (row >= rows) return;
    store_to to;
    to.y = y, to.bias = bias, to.rows = rows, to.columns = columns, to.pitch = y_pitch, to.plane = plane;
    FERRY_EACH_OPERAND(GIVE)
    to.begin();
    factors by;
    operands with;
    to.fetch(column, by);
    to.fetch(row, column, with);
    sum_type v[8] = {};
#pragma unroll
    for (int s = 0; s < SPLIT; s++) add_eight(partial + ((long long)s * rows + row) * width + column, v);
    to.finish(row, column, v, by, with);
}
#endif
