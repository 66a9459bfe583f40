// SPDX-License-Identifier: Apache-2.0
// Batched products of two computed matrices, by multiply-adds: 64 x 64 results a block, 4 x 4 a thread.
// Set before: TYPE, Y_TYPE; INTEGER (0 or 1): int8 with sums of int32, as docs/INT8.md has them.
#pragma once
#include "integer.cuh"
#include "types.cuh"

#if INTEGER
typedef int number;
FERRY_INLINE int to_number(TYPE v)
{
    return (int)v;
}
FERRY_INLINE int add_product(int a, int b, int sum)
{
    return sum + a * b;
}
FERRY_INLINE Y_TYPE result_of(int sum, float mult)
{
    return stored<Y_TYPE>::of(__fmul_rn((float)sum, mult));
}
#else
typedef float number;
FERRY_INLINE float to_number(TYPE v)
{
    return to_float(v);
}
FERRY_INLINE float add_product(float a, float b, float sum)
{
    return fmaf(a, b, sum);
}
FERRY_INLINE Y_TYPE result_of(float sum, float)
{
    return element<Y_TYPE>::of(sum);
}
#endif

#define TILE 64
#define STEP 16
#define PITCH (TILE + 4) // columns stay aligned to four floats

extern "C" __global__ void __launch_bounds__(256)
    ferry_batched(const TYPE *a, const TYPE *b, Y_TYPE *y, int m, int n, int k, float mult, int d1, int d2, int d3,
                  long long a0, long long a1, long long a2, long long a3, long long b0, long long b1, long long b2,
                  long long b3)
{
    __shared__ __align__(16) number left[STEP][PITCH], right[STEP][PITCH];
    const int batch = (int)blockIdx.z, i3 = batch % d3, i2 = batch / d3 % d2, i1 = batch / d3 / d2 % d1,
              i0 = batch / d3 / d2 / d1;
    a += i0 * a0 + i1 * a1 + i2 * a2 + i3 * a3;
    b += i0 * b0 + i1 * b1 + i2 * b2 + i3 * b3;
    y += (size_t)batch * m * n;
    const int row0 = (int)blockIdx.y * TILE, column0 = (int)blockIdx.x * TILE;
    const int down = (int)threadIdx.x / 16 * 4, across = (int)threadIdx.x % 16 * 4;
    number sums[4][4] = {};
    grid_dependency_launch();
    grid_dependency_wait();
    for (int k0 = 0; k0 < k; k0 += STEP) {
#pragma unroll
        for (int i = (int)threadIdx.x; i < TILE * STEP; i += 256) {
            const int row = row0 + i / STEP, at = k0 + i % STEP;
            left[i % STEP][i / STEP] = row < m && at < k ? to_number(a[(size_t)row * k + at]) : (number)0;
            const int depth = k0 + i / TILE, column = column0 + i % TILE;
            right[i / TILE][i % TILE] = depth < k && column < n ? to_number(b[(size_t)depth * n + column]) : (number)0;
        }
        __syncthreads();
#pragma unroll
        for (int s = 0; s < STEP; s++) {
            number u[4], v[4];
            load_raw<4>(&left[s][down], u);
            load_raw<4>(&right[s][across], v);
#pragma unroll
            for (int i = 0; i < 4; i++)
#pragma unroll
                for (int j = 0; j < 4; j++) sums[i][j] = add_product(u[i], v[j], sums[i][j]);
        }
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int j = 0; j < 4; j++)
            if (row0 + down + i < m && column0 + across + j < n)
                y[(size_t)(row0 + down + i) * n + column0 + across + j] = result_of(sums[i][j], mult);
}
