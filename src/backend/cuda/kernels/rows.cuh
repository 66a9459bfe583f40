// SPDX-License-Identifier: Apache-2.0
// What runs over lines of a tensor: softmax, normalisations, reductions. A line's elements lie together and GROUP
// threads take it, or they lie `inner` elements apart and a column of threads takes it.
// Set before: X_TYPE, Y_TYPE; KIND: 0 softmax, 1 its logarithm, 2 normalisation, 3 reduction; GROUP (32 or 256), WIDTH
// (elements that are read at once) and CHUNKS (of so many, which a thread holds). Of normalisations: PLANE (1: an
// element of scale and bias for a run of elements), CENTRED (0: by the mean square). Of reductions: FIRST,
// TAKE(v), JOIN(a, b), END(a, n).
#pragma once
#include "types.cuh"

#define ALL 0xffffffffu
#define COLUMNS 32 // of a block over columns
#define ACROSS 8   // threads of a column, at most

struct sum {
    FERRY_INLINE float of(float a, float b)
    {
        return a + b;
    }
};
struct largest {
    FERRY_INLINE float of(float a, float b)
    {
        return fmaxf(a, b);
    }
};
#if KIND == 3
struct joined {
    FERRY_INLINE float of(float a, float b)
    {
        return JOIN(a, b);
    }
};
#endif

// --- Lines whose elements lie together ------------------------------------------------------------------------------

// W elements at a time, HELD times in registers; HELD of 0 reads them from memory as often as they are wanted.
template <int W, int HELD> struct near_line {
    const X_TYPE *x;
    Y_TYPE *y;
    int length, thread;
    float held[HELD ? HELD : 1][W];
#if KIND == 2
    float held_scale[HELD ? HELD : 1][W], held_bias[HELD ? HELD : 1][W];

    // May come before the line itself is there.
    __device__ __forceinline__ void read_factors(const float *scale, const float *bias)
    {
#pragma unroll
        for (int c = 0; c < HELD; c++)
            if ((c * GROUP + thread) * W < length) {
                load<W>(scale + (c * GROUP + thread) * W, held_scale[c]);
                load<W>(bias + (c * GROUP + thread) * W, held_bias[c]);
            }
    }
    __device__ __forceinline__ void factors(int c, int at, const float *scale, const float *bias, float (&s)[W],
                                            float (&b)[W])
    {
        if (HELD == 0) {
            load<W>(scale + at, s);
            load<W>(bias + at, b);
            return;
        }
#pragma unroll
        for (int e = 0; e < W; e++) {
            s[e] = held_scale[c][e];
            b[e] = held_bias[c][e];
        }
    }
#endif

    __device__ __forceinline__ void place(const X_TYPE *from, Y_TYPE *to, int n)
    {
        x = from;
        y = to;
        length = n;
        thread = (int)(threadIdx.x % GROUP);
    }
    __device__ __forceinline__ void read()
    {
#pragma unroll
        for (int c = 0; c < HELD; c++)
            if ((c * GROUP + thread) * W < length) load<W>(x + (c * GROUP + thread) * W, held[c]);
    }
    // f(which of the held ones it is, where it begins, the elements)
    template <class F> __device__ __forceinline__ void each(F f)
    {
        if (HELD) {
#pragma unroll
            for (int c = 0; c < HELD; c++)
                if ((c * GROUP + thread) * W < length) f(c, (c * GROUP + thread) * W, held[c]);
            return;
        }
        for (int at = thread * W; at < length; at += GROUP * W) {
            float v[W];
            load<W>(x + at, v);
            f(0, at, v);
        }
    }
    __device__ __forceinline__ void put(int at, const float (&v)[W])
    {
        store<W>(y + at, v);
    }
    __device__ __forceinline__ bool leads() const
    {
        return thread == 0;
    }
    template <class JOINER> __device__ __forceinline__ float over(float v)
    {
#pragma unroll
        for (int d = 16; d > 0; d >>= 1) v = JOINER::of(v, __shfl_xor_sync(ALL, v, d));
#if GROUP > 32
        __shared__ float parts[GROUP / 32];
        __syncthreads(); // what was joined before has been read
        if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = v;
        __syncthreads();
        v = parts[0];
#pragma unroll
        for (int w = 1; w < GROUP / 32; w++) v = JOINER::of(v, parts[w]);
#endif
        return v;
    }
};

// --- Lines whose elements lie apart ---------------------------------------------------------------------------------

struct far_line {
    const X_TYPE *x;
    Y_TYPE *y;
    int length;
    long long step;
    bool there; // threads beyond the last line only keep the barriers

    template <class F> __device__ __forceinline__ void each(F f)
    {
        for (int at = threadIdx.y; there && at < length; at += (int)blockDim.y) {
            float v[1] = {to_float(x[at * step])};
            f(0, at, v);
        }
    }
    __device__ __forceinline__ void put(int at, const float (&v)[1])
    {
        y[at * step] = element<Y_TYPE>::of(v[0]);
    }
    __device__ __forceinline__ bool leads() const
    {
        return there && threadIdx.y == 0;
    }
    template <class JOINER> __device__ __forceinline__ float over(float v)
    {
        __shared__ float parts[ACROSS][COLUMNS];
        __syncthreads();
        parts[threadIdx.y][threadIdx.x] = v;
        __syncthreads();
        v = parts[0][threadIdx.x];
        for (int k = 1; k < (int)blockDim.y; k++) v = JOINER::of(v, parts[k][threadIdx.x]);
        return v;
    }
};

// --- What is done with a line ---------------------------------------------------------------------------------------

#if KIND < 2
template <int W, class LINE> FERRY_INLINE void run(LINE &line)
{
    float most = __int_as_float((int)0xff800000u);
    line.each([&](int, int, float(&v)[W]) {
#pragma unroll
        for (int e = 0; e < W; e++) most = fmaxf(most, v[e]);
    });
    most = line.template over<largest>(most);
    float total = 0.0f;
    line.each([&](int, int, float(&v)[W]) {
#pragma unroll
        for (int e = 0; e < W; e++) total += __expf(v[e] - most);
    });
    total = line.template over<sum>(total);
    const float factor = KIND == 0 ? 1.0f / total : logf(total);
    line.each([&](int, int at, float(&v)[W]) {
        float r[W];
#pragma unroll
        for (int e = 0; e < W; e++) r[e] = KIND == 0 ? __expf(v[e] - most) * factor : v[e] - most - factor;
        line.put(at, r);
    });
}
#define EXTRA
#define RUN(W, line) run<W>(line);
#elif KIND == 2
template <int W, class LINE>
FERRY_INLINE void run(LINE &line, const float *scale, const float *bias, int plane, float epsilon)
{
    float mean = 0.0f, spread = 0.0f;
    if (CENTRED) {
        line.each([&](int, int, float(&v)[W]) {
#pragma unroll
            for (int e = 0; e < W; e++) mean += v[e];
        });
        mean = line.template over<sum>(mean) / (float)line.length;
    }
    line.each([&](int, int, float(&v)[W]) {
#pragma unroll
        for (int e = 0; e < W; e++) spread += (v[e] - mean) * (v[e] - mean);
    });
    const float factor = 1.0f / sqrtf(line.template over<sum>(spread) / (float)line.length + epsilon);
    line.each([&](int c, int at, float(&v)[W]) {
        float r[W];
#if PLANE
        (void)c;
#pragma unroll
        for (int e = 0; e < W; e++) {
            const int k = (at + e) / plane;
            r[e] = fmaf((v[e] - mean) * factor, scale[k], bias[k]);
        }
#else
        float s[W], b[W];
        line.factors(c, at, scale, bias, s, b);
#pragma unroll
        for (int e = 0; e < W; e++) r[e] = fmaf((v[e] - mean) * factor, s[e], b[e]);
#endif
        line.put(at, r);
    });
}
#define EXTRA , const float *scale, const float *bias, int groups, int plane, float epsilon
#define AHEAD(line)                                                                                                    \
    const int first = row % groups * (length / plane);                                                                 \
    if (!PLANE) line.read_factors(scale + first, bias + first);
#define RUN(W, line) run<W>(line, scale + first, bias + first, plane, epsilon);
#else
template <int W, class LINE> FERRY_INLINE void run(LINE &line)
{
    float a = FIRST;
    line.each([&](int, int, float(&v)[W]) {
#pragma unroll
        for (int e = 0; e < W; e++) a = JOIN(a, TAKE(v[e]));
    });
    a = line.template over<joined>(a);
    if (line.leads()) *line.y = element<Y_TYPE>::of(END(a, (float)line.length));
}
#define EXTRA
#define RUN(W, line) run<W>(line);
#endif

#ifndef AHEAD
#define AHEAD(line)
#endif
#define Y_ROW (KIND == 3 ? 1 : length)

#define NEAR(name, W, HELD)                                                                                            \
    extern "C" __global__ void __launch_bounds__(256) name(const X_TYPE *x, Y_TYPE *y, int rows, int length EXTRA)     \
    {                                                                                                                  \
        const int row = (int)(blockIdx.x * (blockDim.x / GROUP) + threadIdx.x / GROUP);                                \
        if (row >= rows) return;                                                                                       \
        near_line<W, HELD> line;                                                                                       \
        line.place(x + (size_t)row * length, y + (size_t)row * Y_ROW, length);                                         \
        AHEAD(line)                                                                                                    \
        line.read();                                                                                                   \
        RUN(W, line)                                                                                                   \
    }
#if FAR
// Lines are counted along `inner` first.
extern "C" __global__ void __launch_bounds__(COLUMNS *ACROSS)
    ferry_columns(const X_TYPE *x, Y_TYPE *y, int lines, int length, int inner)
{
    const unsigned i = blockIdx.x * COLUMNS + threadIdx.x, outer = i / inner, column = i - outer * inner;
    far_line line;
    line.there = i < lines;
    line.x = x + (size_t)outer * length * inner + column;
    line.y = y + (size_t)outer * Y_ROW * inner + column;
    line.length = length;
    line.step = inner;
    RUN(1, line)
}
#else
NEAR(ferry_rows, WIDTH, CHUNKS)
NEAR(ferry_long_rows, 1, 0) // of any length
#endif
