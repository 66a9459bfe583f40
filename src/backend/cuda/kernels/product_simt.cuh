// SPDX-License-Identifier: Apache-2.0
// Sums of a warp's part of a tile by fused multiply-adds of floats: for f32, and for halves where a chip has no matrix
// instructions. Each thread has every eighth row and every fourth column of the part.
#pragma once
#include "product_rows.cuh"

constexpr int warp_m = TILE_M / WARPS_M, warp_n = TILE_N / WARPS_N;
constexpr int sum_pitch = TILE_N + 8;

struct sums {
    static constexpr int count_m = warp_m / 8, count_n = warp_n / 4;
    static_assert(warp_m % 8 == 0 && warp_n % 4 == 0 && 8 % SLICES == 0, "whole threads");
    union piece {
        uint4 all;
        X_TYPE elements[chunk];
    };
    static constexpr int parts = 1;
    float d[count_m][count_n];
    const unsigned char *from_left, *from_right; // the tile
    int slice, m, n; // m, n: the thread's first row and column

    __device__ __forceinline__ void begin()
    {
        const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
        slice = warp / (WARPS_M * WARPS_N);
        m = warp % WARPS_M * warp_m + lane / 4;
        n = warp / WARPS_M % WARPS_N * warp_n + lane % 4;
#pragma unroll
        for (int i = 0; i < count_m; i++)
#pragma unroll
            for (int j = 0; j < count_n; j++) d[i][j] = 0.0f;
    }

    __device__ __forceinline__ void load(const unsigned char *left, const unsigned char *right, int)
    {
        from_left = left;
        from_right = right;
    }

    // The thread's share of a tile, by chunks of its rows and columns: each slice of the block takes others.
    __device__ __forceinline__ void add(int)
    {
#pragma unroll 1
        for (int k = slice; k < 8; k += SLICES) {
            piece a[count_m], b[count_n];
#pragma unroll
            for (int i = 0; i < count_m; i++)
                a[i].all = *reinterpret_cast<const uint4 *>(from_left + chunk_at(m + i * 8, k));
#pragma unroll
            for (int j = 0; j < count_n; j++)
                b[j].all = *reinterpret_cast<const uint4 *>(from_right + chunk_at(n + j * 4, k));
#pragma unroll
            for (int e = 0; e < chunk; e++)
#pragma unroll
                for (int i = 0; i < count_m; i++)
#pragma unroll
                    for (int j = 0; j < count_n; j++)
                        d[i][j] = fmaf(to_float(a[i].elements[e]), to_float(b[j].elements[e]), d[i][j]);
        }
    }

    __device__ __forceinline__ void put(float *to) const
    {
        to += (slice * TILE_M + m) * sum_pitch + n;
#pragma unroll
        for (int i = 0; i < count_m; i++)
#pragma unroll
            for (int j = 0; j < count_n; j++) to[i * 8 * sum_pitch + j * 4] = d[i][j];
    }
};
