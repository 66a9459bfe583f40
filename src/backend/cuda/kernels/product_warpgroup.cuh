// SPDX-License-Identifier: Apache-2.0
// Sums of a warpgroup's part of a tile, both of whose sides lie in shared memory, for f16, bf16 and int8.
#pragma once
#include "product_rows.cuh"
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
constexpr int sum_pitch = TILE_N + 8; // of a tile of sums
constexpr int ahead = STAGES - 2;     // tiles on their way while two are in use
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
    // Nothing is read earlier.
    __device__ __forceinline__ void end()
    {
        wgmma_wait<0>();
#pragma unroll
        for (int i = 0; i < blocks; i++) wgmma_read(d[i]);
    }

    // To [TILE_M][sum_pitch].
    __device__ __forceinline__ void put(sum_type *to) const
    {
        const int lane = threadIdx.x % 32;
        to += (m + threadIdx.x / 32 % 4 * 16 + lane / 4) * sum_pitch + n + lane % 4 * 2;
#pragma unroll
        for (int i = 0; i < blocks; i++)
#pragma unroll
            for (int q = 0; q < width / 4; q++) {
                const sum_type pair[2] = {d[i][q * 2], d[i][q * 2 + 1]};
                store_raw<2>(to + (i * 64 + q % 2 * 8) * sum_pitch + q / 2 * 8, pair);
            }
    }
};

FERRY_INLINE int next_stage(int at)
{
    return at + stage_bytes == STAGES * stage_bytes ? 0 : at + stage_bytes;
}
