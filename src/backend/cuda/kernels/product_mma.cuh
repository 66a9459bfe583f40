// SPDX-License-Identifier: Apache-2.0
// Sums of a warp's part of a tile by matrix instructions, for f16 and bf16.
#pragma once
#include "product_rows.cuh"

constexpr int warp_m = TILE_M / WARPS_M, warp_n = TILE_N / WARPS_N;
constexpr int sum_pitch = TILE_N + 8; // of a tile of sums: what a warp writes at a time meets all banks

FERRY_INLINE void multiply_add(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], f16) { mma_f16(d, a, b); }
#if __CUDA_ARCH__ >= 800
FERRY_INLINE void multiply_add(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], bf16)
{
    mma_bf16(d, a, b);
}
#endif

struct sums {
    static constexpr int blocks_m = warp_m / 16, blocks_n = warp_n / 16;
    static_assert(warp_m % 16 == 0 && warp_n % 16 == 0 && 4 % SLICES == 0, "whole fragments");
    float d[blocks_m][2 * blocks_n][4];
    int slice, lane, m, n; // m, n: where the warp's part begins

    __device__ __forceinline__ void begin()
    {
        const int warp = threadIdx.x / 32;
        lane = threadIdx.x % 32;
        slice = warp / (WARPS_M * WARPS_N);
        m = warp % WARPS_M * warp_m;
        n = warp / WARPS_M % WARPS_N * warp_n;
#pragma unroll
        for (int i = 0; i < blocks_m; i++)
#pragma unroll
            for (int j = 0; j < 2 * blocks_n; j++) d[i][j][0] = d[i][j][1] = d[i][j][2] = d[i][j][3] = 0.0f;
    }

    // Fragments of 16 elements along the rows: two chunks.
    __device__ __forceinline__ void load(const unsigned char *left, const unsigned char *right, int k,
                                         unsigned (&a)[blocks_m][4], unsigned (&b)[2 * blocks_n][2]) const
    {
#pragma unroll
        for (int i = 0; i < blocks_m; i++)
            ldmatrix_x4(a[i], left + chunk_at(m + i * 16 + lane % 16, 2 * k + lane / 16));
#pragma unroll
        for (int j = 0; j < blocks_n; j++) {
            unsigned r[4];
            ldmatrix_x4(r, right + chunk_at(n + j * 16 + lane / 16 * 8 + lane % 8, 2 * k + lane / 8 % 2));
            b[2 * j][0] = r[0];
            b[2 * j][1] = r[1];
            b[2 * j + 1][0] = r[2];
            b[2 * j + 1][1] = r[3];
        }
    }

    // The warp's share of a tile: each slice of the block takes other elements along the rows.
    __device__ __forceinline__ void add(const unsigned char *left, const unsigned char *right)
    {
        constexpr int parts = 4 / SLICES;
        unsigned a[2][blocks_m][4], b[2][2 * blocks_n][2];
        load(left, right, slice * parts, a[0], b[0]);
#pragma unroll
        for (int k = 0; k < parts; k++) {
            if (k + 1 < parts) load(left, right, slice * parts + k + 1, a[(k + 1) % 2], b[(k + 1) % 2]);
#pragma unroll
            for (int i = 0; i < blocks_m; i++)
#pragma unroll
                for (int j = 0; j < 2 * blocks_n; j++) multiply_add(d[i][j], a[k % 2][i], b[k % 2][j], X_TYPE());
        }
    }

    // To [SLICES][TILE_M][sum_pitch].
    __device__ __forceinline__ void put(float *to) const
    {
        to += (slice * TILE_M + m + lane / 4) * sum_pitch + n + lane % 4 * 2;
#pragma unroll
        for (int i = 0; i < blocks_m; i++)
#pragma unroll
            for (int j = 0; j < 2 * blocks_n; j++)
#pragma unroll
                for (int half = 0; half < 2; half++)
                    *reinterpret_cast<float2 *>(to + (i * 16 + half * 8) * sum_pitch + j * 8) =
                        make_float2(d[i][j][2 * half], d[i][j][2 * half + 1]);
    }
};
