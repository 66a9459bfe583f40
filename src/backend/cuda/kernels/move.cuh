// SPDX-License-Identifier: Apache-2.0
// Data movers: rows of bytes from several tensors to several, strided copies, and transpositions through shared memory.
// Set before: ELEMENT, a type of as many bytes as the tensors' elements have.
#pragma once
#include "types.cuh"

template <class WORD>
FERRY_INLINE void copy_rows(const char *from, char *to, unsigned rows, unsigned width, long long from_pitch,
                            long long to_pitch)
{
    const unsigned words = width / (unsigned)sizeof(WORD), step = gridDim.x * 256u;
    const unsigned long long total = (unsigned long long)rows * words;
    for (unsigned long long i = blockIdx.x * 256u + threadIdx.x; i < total; i += step) {
        const unsigned row = total >> 32 ? (unsigned)(i / words) : (unsigned)i / words;
        const unsigned at = (unsigned)(i - (unsigned long long)row * words);
        reinterpret_cast<WORD *>(to + row * to_pitch)[at] = reinterpret_cast<const WORD *>(from + row * from_pitch)[at];
    }
}

// The widest words that all rows begin and end at.
FERRY_INLINE void copy_part(const char *from, char *to, unsigned rows, unsigned width, long long from_pitch,
                            long long to_pitch)
{
    const unsigned bits =
        (unsigned)((size_t)from | (size_t)to) | width | (rows > 1 ? (unsigned)(from_pitch | to_pitch) : 0u);
    if ((bits & 15u) == 0)
        copy_rows<uint4>(from, to, rows, width, from_pitch, to_pitch);
    else if ((bits & 7u) == 0)
        copy_rows<uint2>(from, to, rows, width, from_pitch, to_pitch);
    else if ((bits & 3u) == 0)
        copy_rows<unsigned>(from, to, rows, width, from_pitch, to_pitch);
    else if ((bits & 1u) == 0)
        copy_rows<unsigned short>(from, to, rows, width, from_pitch, to_pitch);
    else
        copy_rows<unsigned char>(from, to, rows, width, from_pitch, to_pitch);
}

// Three parts at a time, a row of blocks each; sizes and places in bytes.
#define PART(n)                                                                                                        \
    const char *from##n, char *to##n, long long from_first##n, long long to_first##n, unsigned rows##n,                \
        unsigned width##n, long long from_pitch##n, long long to_pitch##n
#define COPY(n)                                                                                                        \
    if (blockIdx.y == n)                                                                                               \
    copy_part(from##n + from_first##n, to##n + to_first##n, rows##n, width##n, from_pitch##n, to_pitch##n)

extern "C" __global__ void __launch_bounds__(256) ferry_copy_rows(PART(0), PART(1), PART(2))
{
    grid_dependency_launch();
    grid_dependency_wait();
    COPY(0);
    COPY(1);
    COPY(2);
}

// Rows along three dimensions, the last of which steps the fastest: a transposition that leaves rows whole.
struct planes {
    unsigned d1, d2;
    long long from0, from1, from2, to0, to1, to2;
};

template <class WORD>
FERRY_INLINE void copy_planes(const char *from, char *to, unsigned rows, unsigned width, const planes &p)
{
    const unsigned words = width / (unsigned)sizeof(WORD), step = gridDim.x * 256u;
    const unsigned long long total = (unsigned long long)rows * words;
    for (unsigned long long i = blockIdx.x * 256u + threadIdx.x; i < total; i += step) {
        const unsigned row = total >> 32 ? (unsigned)(i / words) : (unsigned)i / words;
        const unsigned at = (unsigned)(i - (unsigned long long)row * words);
        const unsigned above = row / p.d2, i2 = row - above * p.d2, i0 = above / p.d1, i1 = above - i0 * p.d1;
        reinterpret_cast<WORD *>(to + i0 * p.to0 + i1 * p.to1 + i2 * p.to2)[at] =
            reinterpret_cast<const WORD *>(from + i0 * p.from0 + i1 * p.from1 + i2 * p.from2)[at];
    }
}

extern "C" __global__ void __launch_bounds__(256)
    ferry_copy_planes(const char *from, char *to, long long from_first, long long to_first, unsigned rows,
                      unsigned width, unsigned d1, unsigned d2, long long from0, long long from1, long long from2,
                      long long to0, long long to1, long long to2)
{
    from += from_first;
    to += to_first;
    const planes p = {d1, d2, from0, from1, from2, to0, to1, to2};
    const unsigned bits = (unsigned)((size_t)from | (size_t)to) | width |
                          (unsigned)(from0 | from1 | from2 | to0 | to1 | to2);
    grid_dependency_launch();
    grid_dependency_wait();
    if ((bits & 15u) == 0)
        copy_planes<uint4>(from, to, rows, width, p);
    else if ((bits & 3u) == 0)
        copy_planes<unsigned>(from, to, rows, width, p);
    else
        copy_planes<ELEMENT>(from, to, rows, width, p);
}

extern "C" __global__ void __launch_bounds__(256) ferry_fill(ELEMENT *y, long long elements, unsigned long long value)
{
    grid_dependency_launch();
    grid_dependency_wait();
    for (long long i = blockIdx.x * 256ll + threadIdx.x; i < elements; i += gridDim.x * 256ll) y[i] = (ELEMENT)value;
}

// At most six dimensions, the innermost last, in the output's order.
#define STEPS(x)                                                                                                       \
    long long x##0, long long x##1, long long x##2, long long x##3, long long x##4, long long x##5, long long x##_first
extern "C" __global__ void __launch_bounds__(256)
    ferry_copy_strided(const ELEMENT *x, ELEMENT *y, unsigned elements, unsigned d1, unsigned d2, unsigned d3,
                       unsigned d4, unsigned d5, STEPS(x), STEPS(y))
{
    grid_dependency_launch();
    grid_dependency_wait();
    for (unsigned i = blockIdx.x * 256u + threadIdx.x; i < elements; i += gridDim.x * 256u) {
        unsigned rest = i;
        long long from = x_first, to = y_first;
#define DIM(n)                                                                                                         \
    {                                                                                                                  \
        const unsigned left = rest / d##n, at = rest - left * d##n;                                                    \
        from += at * x##n;                                                                                             \
        to += at * y##n;                                                                                               \
        rest = left;                                                                                                   \
    }
        DIM(5)
        DIM(4)
        DIM(3)
        DIM(2)
        DIM(1)
#undef DIM
        y[to + rest * y0] = x[from + rest * x0];
    }
}

// Matrices whose rows are dense in x and whose columns are dense in y; up to three dimensions of them.
#define TILE 32
extern "C" __global__ void __launch_bounds__(256)
    ferry_copy_turned(const ELEMENT *x, ELEMENT *y, unsigned rows, unsigned columns, long long x_row,
                      long long y_column, unsigned d1, unsigned d2, long long x0, long long x1, long long x2,
                      long long x_first, long long y0, long long y1, long long y2, long long y_first)
{
    __shared__ ELEMENT tile[TILE][TILE + (sizeof(ELEMENT) < 4 ? 4 / sizeof(ELEMENT) : 1)];
    unsigned rest = blockIdx.z;
    const unsigned i2 = rest % d2;
    rest /= d2;
    const unsigned i1 = rest % d1, i0 = rest / d1;
    x += x_first + i0 * x0 + i1 * x1 + i2 * x2;
    y += y_first + i0 * y0 + i1 * y1 + i2 * y2;
    const unsigned across = threadIdx.x % TILE, down = threadIdx.x / TILE;
    const unsigned row0 = blockIdx.y * TILE, column0 = blockIdx.x * TILE;
    grid_dependency_launch();
    grid_dependency_wait();
#pragma unroll
    for (unsigned k = down; k < TILE; k += 8)
        if (row0 + k < rows && column0 + across < columns) tile[k][across] = x[(row0 + k) * x_row + column0 + across];
    __syncthreads();
#pragma unroll
    for (unsigned k = down; k < TILE; k += 8)
        if (column0 + k < columns && row0 + across < rows)
            y[(column0 + k) * y_column + row0 + across] = tile[across][k];
}

// y[outer][picked][inner] = x[outer][indices[picked]][inner], rows of `width` bytes; indices count from the end where
// negative, and stay inside whatever they are.
template <class WORD, class INDEX>
FERRY_INLINE void gather(const char *x, char *y, const INDEX *indices, unsigned outer, unsigned length, unsigned picked,
                         unsigned width)
{
    const unsigned words = width / (unsigned)sizeof(WORD), total = outer * picked * words;
    for (unsigned i = blockIdx.x * 256u + threadIdx.x; i < total; i += gridDim.x * 256u) {
        const unsigned row = i / words, o = row / picked;
        long long at = (long long)indices[row - o * picked];
        at = at < 0 ? at + length : at;
        at = at < 0 ? 0 : at >= length ? length - 1 : at;
        const char *from = x + ((size_t)o * length + (size_t)at) * width;
        reinterpret_cast<WORD *>(y)[i] = reinterpret_cast<const WORD *>(from)[i - row * words];
    }
}

#define GATHER(name, INDEX)                                                                                            \
    extern "C" __global__ void __launch_bounds__(256)                                                                  \
        name(const char *x, const INDEX *indices, char *y, unsigned outer, unsigned length, unsigned picked,           \
             unsigned width)                                                                                           \
    {                                                                                                                  \
        grid_dependency_launch();                                                                                      \
        grid_dependency_wait();                                                                                        \
        if ((width & 15u) == 0)                                                                                        \
            gather<uint4>(x, y, indices, outer, length, picked, width);                                                \
        else                                                                                                           \
            gather<ELEMENT>(x, y, indices, outer, length, picked, width);                                              \
    }
GATHER(ferry_gather_s32, int)
GATHER(ferry_gather_s64, long long)
