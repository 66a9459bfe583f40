// SPDX-License-Identifier: Apache-2.0
// Sums of a warp's part of a tile by fused multiply-adds of floats, or by sums of four products of int8: for f32, and
// for other types where a chip has no matrix instructions. Each thread has every eighth row and every fourth column of the part.
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
        int words[4];
    };
    static constexpr int parts = 1, factors = sizeof(X_TYPE) == 1 ? 4 : chunk; // factors: words of int8
    sum_type d[count_m][count_n];
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
            for (int j = 0; j < count_n; j++) d[i][j] = 0;
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
            for (int e = 0; e < factors; e++)
#pragma unroll
                for (int i = 0; i < count_m; i++)
#pragma unroll
                    for (int j = 0; j < count_n; j++) d[i][j] = multiply_add(a[i], b[j], e, d[i][j]);
        }
    }

    static __device__ __forceinline__ float multiply_add(const piece &a, const piece &b, int e, float sum)
    {
        return fmaf(to_float(a.elements[e]), to_float(b.elements[e]), sum);
    }
    static __device__ __forceinline__ int multiply_add(const piece &a, const piece &b, int e, int sum)
    {
        return dp4a(a.words[e], b.words[e], sum);
    }

    __device__ __forceinline__ void put(sum_type *to) const
    {
        to += (slice * TILE_M + m) * sum_pitch + n;
#pragma unroll
        for (int i = 0; i < count_m; i++)
#pragma unroll
            for (int j = 0; j < count_n; j++) to[i * 8 * sum_pitch + j * 4] = d[i][j];
    }
};
