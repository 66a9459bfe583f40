// SPDX-License-Identifier: Apache-2.0
// Sums of a warp's part of a tile by matrix instructions, for f16, bf16, int8, and f32 whose factors are rounded to TF32.
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
FERRY_INLINE void multiply_add(int (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], s8) { mma_s8(d, a, b); }
FERRY_INLINE void multiply_add(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], float)
{
    mma_tf32(d, a, b);
}
FERRY_INLINE void round_factors(unsigned (&a)[4], float) // of the left side: weights are packed rounded
{
#pragma unroll
    for (int e = 0; e < 4; e++) a[e] = to_tf32(__uint_as_float(a[e]));
}
#endif
template <class T> FERRY_INLINE void round_factors(unsigned (&)[4], T) {}

struct sums {
    static constexpr int blocks_m = warp_m / 16, blocks_n = warp_n / 16;
    static_assert(warp_m % 16 == 0 && warp_n % 16 == 0 && 4 % SLICES == 0, "whole fragments");
    static constexpr int parts = 4 / SLICES;
    sum_type d[blocks_m][2 * blocks_n][4];
    unsigned a[2][blocks_m][4], b[2][2 * blocks_n][2]; // of a part, and of the one behind it
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
            for (int j = 0; j < 2 * blocks_n; j++) d[i][j][0] = d[i][j][1] = d[i][j][2] = d[i][j][3] = 0;
    }

    // Fragments of 32 bytes along the rows: two chunks. Part `part` of the warp's share of a tile: each slice of the
    // block takes others.
    __device__ __forceinline__ void load(const unsigned char *left, const unsigned char *right, int part)
    {
        const int k = slice * parts + part;
        unsigned(&to_a)[blocks_m][4] = a[part % 2];
        unsigned(&to_b)[2 * blocks_n][2] = b[part % 2];
#pragma unroll
        for (int i = 0; i < blocks_m; i++) {
            ldmatrix_x4(to_a[i], left + chunk_at(m + i * 16 + lane % 16, 2 * k + lane / 16));
            round_factors(to_a[i], X_TYPE());
        }
#pragma unroll
        for (int j = 0; j < blocks_n; j++) {
            unsigned r[4];
            ldmatrix_x4(r, right + chunk_at(n + j * 16 + lane / 16 * 8 + lane % 8, 2 * k + lane / 8 % 2));
            to_b[2 * j][0] = r[0];
            to_b[2 * j][1] = r[1];
            to_b[2 * j + 1][0] = r[2];
            to_b[2 * j + 1][1] = r[3];
        }
    }

    __device__ __forceinline__ void add(int part)
    {
#pragma unroll
        for (int i = 0; i < blocks_m; i++)
#pragma unroll
            for (int j = 0; j < 2 * blocks_n; j++) multiply_add(d[i][j], a[part % 2][i], b[part % 2][j], X_TYPE());
    }

    // To [SLICES][TILE_M][sum_pitch].
    __device__ __forceinline__ void put(sum_type *to) const
    {
        to += (slice * TILE_M + m + lane / 4) * sum_pitch + n + lane % 4 * 2;
#pragma unroll
        for (int i = 0; i < blocks_m; i++)
#pragma unroll
            for (int j = 0; j < 2 * blocks_n; j++)
#pragma unroll
                for (int half = 0; half < 2; half++) {
                    const sum_type pair[2] = {d[i][j][2 * half], d[i][j][2 * half + 1]};
                    store_raw<2>(to + (i * 16 + half * 8) * sum_pitch + j * 8, pair);
                }
    }
};
