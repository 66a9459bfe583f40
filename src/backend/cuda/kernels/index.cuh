// SPDX-License-Identifier: Apache-2.0
// Elements read and written where other tensors say: GatherElements, GatherND, ScatterElements, ScatterND, OneHot.
// Set before: KIND, ELEMENT, INDEX (int or long long), and for scatters COMBINE(old, new). At most six dimensions, the
// innermost last. Updates of the same element happen in the order of the updates, whatever the grid: each element has
// one thread that sees to it.
#pragma once
#include "types.cuh"

#define GATHER_ELEMENTS 0
#define GATHER_ND 1
#define SCATTER_ELEMENTS 2
#define SCATTER_ND 3
#define ONE_HOT 4

#define SIX(type, name) type name##0, type name##1, type name##2, type name##3, type name##4, type name##5
#define EACH_STEP for (unsigned i = blockIdx.x * 256u + threadIdx.x; i < elements; i += gridDim.x * 256u)

// Counted from the end where negative; -1: there is no such element.
FERRY_INLINE int place_of(INDEX index, int length)
{
    const long long at = index < 0 ? (long long)index + length : (long long)index;
    return at < 0 || at >= length ? -1 : (int)at;
}

// Takes the number i apart into its coordinates, the innermost first.
#define EACH_COORDINATE(DO)                                                                                            \
    {                                                                                                                  \
        unsigned rest = i;                                                                                             \
        COORDINATE(5, DO)                                                                                              \
        COORDINATE(4, DO)                                                                                              \
        COORDINATE(3, DO)                                                                                              \
        COORDINATE(2, DO)                                                                                              \
        COORDINATE(1, DO)                                                                                              \
        const int at = (int)rest;                                                                                      \
        DO(0)                                                                                                          \
    }
#define COORDINATE(n, DO)                                                                                              \
    {                                                                                                                  \
        const unsigned left = rest / (unsigned)d##n;                                                                   \
        const int at = (int)(rest - left * (unsigned)d##n);                                                            \
        DO(n) rest = left;                                                                                             \
    }
#define IN_DATA(n) data += at * s##n;
#define IN_INDICES(n) first += at * t##n;

#if KIND == GATHER_ELEMENTS
// d: dims of y and the indices; s: steps in x, 0 along the axis, where they are axis_step.
extern "C" __global__ void __launch_bounds__(256)
    ferry_gather_elements(const ELEMENT *x, const INDEX *indices, ELEMENT *y, unsigned elements, int length,
                          int axis_step, SIX(int, d), SIX(int, s))
{
    grid_dependency_launch();
    grid_dependency_wait();
    EACH_STEP
    {
        int data = 0;
        EACH_COORDINATE(IN_DATA)
        const int at = place_of(indices[i], length);
        y[i] = x[data + (at < 0 ? 0 : at) * axis_step];
    }
}
#endif

#if KIND == GATHER_ND || KIND == SCATTER_ND
// Where the data's part begins that the `depth` indices at `from` choose; -1: nowhere. d: dims of the data, s: steps.
#define CHOOSE(n)                                                                                                      \
    if (depth > n) {                                                                                                   \
        const int at = place_of(from[n], d##n);                                                                        \
        chosen = at < 0 || chosen < 0 ? -1 : chosen + at * s##n;                                                       \
    }
FERRY_INLINE int choose(const INDEX *from, int depth, SIX(int, d), SIX(int, s))
{
    int chosen = 0;
    CHOOSE(0)
    CHOOSE(1) CHOOSE(2) CHOOSE(3) CHOOSE(4) CHOOSE(5) return chosen;
}
#define PASS_SIX(name) name##0, name##1, name##2, name##3, name##4, name##5
#endif

#if KIND == GATHER_ND
// Each row of indices chooses `slice` elements; `rows` of them do in each part of x of `part` elements.
extern "C" __global__ void __launch_bounds__(256)
    ferry_gather_nd(const ELEMENT *x, const INDEX *indices, ELEMENT *y, unsigned elements, unsigned slice,
                    unsigned rows, unsigned part, int depth, SIX(int, d), SIX(int, s))
{
    grid_dependency_launch();
    grid_dependency_wait();
    EACH_STEP
    {
        const unsigned row = i / slice;
        const int at = choose(indices + (size_t)row * depth, depth, PASS_SIX(d), PASS_SIX(s));
        y[i] = x[row / rows * part + (at < 0 ? 0u : (unsigned)at) + (i - row * slice)];
    }
}
#endif

#if KIND == SCATTER_ELEMENTS || KIND == SCATTER_ND
// In place where x is y.
extern "C" __global__ void __launch_bounds__(256) ferry_copy_data(const ELEMENT *x, ELEMENT *y, unsigned elements)
{
    grid_dependency_launch();
    grid_dependency_wait();
    if (x == y) return;
    EACH_STEP y[i] = x[i];
}
#endif

#if KIND == SCATTER_ELEMENTS
// A line is what lies along the axis: `count` indices of it, axis_step apart in the data and index_step in the indices.
// d: dims of the indices, 1 along the axis; s and t: steps in the data and in the indices. Of a block's threads
// `owners` share a line: each does those updates whose place leaves its number. They look the places up together, as
// many at a time as they are.
extern "C" __global__ void __launch_bounds__(256)
    ferry_scatter_elements(ELEMENT *y, const INDEX *indices, const ELEMENT *updates, unsigned lines, unsigned owners,
                           int length, int count, int axis_step, int index_step, SIX(int, d), SIX(int, s), SIX(int, t))
{
    grid_dependency_launch();
    grid_dependency_wait();
    __shared__ int places[256];
    const unsigned each = 256u / owners, line = threadIdx.x % each, i = blockIdx.x * each + line;
    const unsigned owner = threadIdx.x / each;
    int data = 0, first = 0;
    EACH_COORDINATE(IN_DATA)
    EACH_COORDINATE(IN_INDICES)
    for (int begin = 0; begin < count; begin += (int)owners) {
        const int own = begin + (int)owner, left = count - begin < (int)owners ? count - begin : (int)owners;
        __syncthreads();
        if (i < lines && own < count) places[threadIdx.x] = place_of(indices[first + own * index_step], length);
        __syncthreads();
#pragma unroll 8
        for (int k = 0; i < lines && k < left; k++) {
            const int at = places[(unsigned)k * each + line];
            if (at < 0 || ((unsigned)at & (owners - 1u)) != owner) continue;
            ELEMENT *to = y + data + at * axis_step;
            *to = COMBINE(*to, updates[first + (begin + k) * index_step]);
        }
    }
}
#endif

#if KIND == SCATTER_ND
// `rows` rows of indices choose `slice` elements each. `across` of a block's threads lie along a slice, the others, and
// blockIdx.y, are owners, a power of two in all: each does those slices whose number leaves its own. A block looks them
// up together.
extern "C" __global__ void __launch_bounds__(256)
    ferry_scatter_nd(ELEMENT *y, const INDEX *indices, const ELEMENT *updates, unsigned rows, unsigned slice,
                     unsigned across, int depth, SIX(int, d), SIX(int, s))
{
    grid_dependency_launch();
    grid_dependency_wait();
    const unsigned in_block = 256u / across, owners = in_block * gridDim.y;
    const unsigned owner = blockIdx.y * in_block + threadIdx.x / across;
    const unsigned e = blockIdx.x * across + threadIdx.x % across;
    __shared__ int numbers[256];
    for (unsigned begin = 0; begin < rows; begin += 256u) {
        const unsigned own = begin + threadIdx.x, left = rows - begin < 256u ? rows - begin : 256u;
        __syncthreads();
        if (own < rows) {
            const int at = choose(indices + (size_t)own * depth, depth, PASS_SIX(d), PASS_SIX(s));
            numbers[threadIdx.x] = at < 0 ? -1 : (int)((unsigned)at / slice);
        }
        __syncthreads();
#pragma unroll 8
        for (unsigned k = 0; e < slice && k < left; k++) {
            const int number = numbers[k];
            if (number < 0 || ((unsigned)number & (owners - 1u)) != owner) continue;
            ELEMENT *to = y + (size_t)number * slice + e;
            *to = COMBINE(*to, updates[(size_t)(begin + k) * slice + e]);
        }
    }
}
#endif

#if KIND == ONE_HOT
// y[outer][depth][inner]: values[1] where the index [outer][inner] is the place along depth, else values[0].
extern "C" __global__ void __launch_bounds__(256)
    ferry_one_hot(const INDEX *indices, const ELEMENT *values, ELEMENT *y, unsigned elements, int depth, unsigned inner)
{
    grid_dependency_launch();
    grid_dependency_wait();
    const ELEMENT off = values[0], on = values[1];
    EACH_STEP
    {
        const unsigned row = i / inner, outer = row / (unsigned)depth;
        y[i] = place_of(indices[outer * inner + i - row * inner], depth) == (int)(row - outer * (unsigned)depth) ? on
                                                                                                                 : off;
    }
}
#endif
