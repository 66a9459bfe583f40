// SPDX-License-Identifier: Apache-2.0
// Copies of tensors whose elements lie in another order, or with gaps. Set before: ELEMENT, a type of as many bytes.
#pragma once
#include "types.cuh"

// Any strides, at most 6 dimensions; the innermost of `dims` is the last. An output is written in its own order where
// its innermost stride is 1.
extern "C" __global__ void __launch_bounds__(256)
    ferry_strided_copy(const ELEMENT *x, ELEMENT *y, long long elements, int d1, int d2,
                       int d3, int d4, int d5, long long x0, long long x1, long long x2, long long x3, long long x4,
                       long long x5, long long y0, long long y1, long long y2, long long y3, long long y4,
                       long long y5)
{
    grid_dependency_launch();
    const long long i = blockIdx.x * 256ll + threadIdx.x;
    if (i >= elements) return;
    long long rest = i;
    const long long i5 = rest % d5;
    rest /= d5;
    const long long i4 = rest % d4;
    rest /= d4;
    const long long i3 = rest % d3;
    rest /= d3;
    const long long i2 = rest % d2;
    rest /= d2;
    const long long i1 = rest % d1, i0 = rest / d1;
    grid_dependency_wait();
    y[i0 * y0 + i1 * y1 + i2 * y2 + i3 * y3 + i4 * y4 + i5 * y5] =
        x[i0 * x0 + i1 * x1 + i2 * x2 + i3 * x3 + i4 * x4 + i5 * x5];
}

// Transposes `rows` x `columns` matrices, `batches` of them, through shared memory, so that both sides are read and
// written along their rows. Rows of x lie `x_row` elements apart and of y `y_row`; batches `x_batch` and `y_batch`.
extern "C" __global__ void __launch_bounds__(256)
    ferry_transpose(const ELEMENT *x, ELEMENT *y, int rows, int columns, long long x_row,
                    long long y_row, long long x_batch, long long y_batch)
{
    grid_dependency_launch();
    grid_dependency_wait();
    __shared__ ELEMENT tile[32][33];
    const int column = blockIdx.x * 32 + threadIdx.x, row = blockIdx.y * 32 + threadIdx.x;
    x += blockIdx.z * x_batch;
    y += blockIdx.z * y_batch;
    for (int k = threadIdx.y; k < 32; k += 8) {
        const int r = blockIdx.y * 32 + k;
        if (r < rows && column < columns) tile[k][threadIdx.x] = x[r * x_row + column];
    }
    __syncthreads();
    for (int k = threadIdx.y; k < 32; k += 8) {
        const int c = blockIdx.x * 32 + k;
        if (c < columns && row < rows) y[c * y_row + row] = tile[threadIdx.x][k];
    }
}
