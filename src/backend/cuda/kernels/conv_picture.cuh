// SPDX-License-Identifier: Apache-2.0
// Convolution of pictures of up to four channels, at every second position along lines and columns: matrix instructions
// read windows where the picture lies. In shared memory a position has four channels, two positions are a chunk of 16
// bytes, and the window of a line's output p begins at chunk p of the input's line: the left side of the product needs
// no copy of its own, its rows overlap. Even lines of the input lie one behind another, and so do odd ones, so that
// outputs of several lines are rows of one left side: what its rows make at the end of a line, where windows reach into
// the next one, is dropped.
// Set before: PICTURE_TYPE, X_TYPE (of products and of the output; a picture of floats is rounded to it), CHANNELS,
// KERNEL_H, KERNEL_W, TILE_N (32 or 64), WGMMA (0 or 1), RESIDENT (blocks of a multiprocessor), and the chain, whose
// operands are constants of channels.
#pragma once
#include "operands.cuh"
#if WGMMA
#include "warpgroup.cuh"
#endif

constexpr int threads = 256, warps = threads / 32, groups = threads / 128;
constexpr int chunks = (KERNEL_W + 3) / 4 * 2; // of a line of a window: a product takes two
constexpr int depth = KERNEL_H * chunks;

// d += windows * weights, over two chunks of 16 windows of each of four warps.
#if WGMMA
typedef unsigned long long side;
FERRY_INLINE side left_side(const uint4 *first) { return shared_cores(first, 16); }
FERRY_INLINE side right_side(const uint4 *first) { return shared_cores(first, TILE_N * 16); }
template <int N> FERRY_INLINE void multiply_add(float (&d)[N], side a, side b, f16) { wgmma_f16(d, a, b); }
template <int N> FERRY_INLINE void multiply_add(float (&d)[N], side a, side b, bf16) { wgmma_bf16(d, a, b); }
// The compiler knows that lanes have the same one, so that descriptors are made once a warp.
FERRY_INLINE int number_of_warp() { return __shfl_sync(0xffffffffu, threadIdx.x / 32, 0); }
template <int N> FERRY_INLINE void multiply_end(float (&d)[N])
{
    wgmma_commit();
    wgmma_wait<0>();
    wgmma_read(d);
}
#else
typedef const uint4 *side;
FERRY_INLINE int number_of_warp() { return threadIdx.x / 32; }
FERRY_INLINE side left_side(const uint4 *first)
{
    return first + threadIdx.x / 32 % 4 * 16 + threadIdx.x % 16 + threadIdx.x % 32 / 16;
}
FERRY_INLINE side right_side(const uint4 *first)
{
    return first + threadIdx.x / 8 % 2 * TILE_N + threadIdx.x % 8 + threadIdx.x % 32 / 16 * 8;
}
FERRY_INLINE void mma(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], f16) { mma_f16(d, a, b); }
#if __CUDA_ARCH__ >= 800
FERRY_INLINE void mma(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], bf16) { mma_bf16(d, a, b); }
#endif
template <int N> FERRY_INLINE void multiply_add(float (&d)[N], side left, side right, X_TYPE type)
{
    unsigned a[4], b[4];
    ldmatrix_x4(a, left);
#pragma unroll
    for (int n = 0; n < TILE_N; n += 16) {
        ldmatrix_x4(b, right + n);
        mma(*reinterpret_cast<float(*)[4]>(d + n / 2), a, {b[0], b[1]}, type);
        mma(*reinterpret_cast<float(*)[4]>(d + n / 2 + 4), a, {b[2], b[3]}, type);
    }
}
template <int N> FERRY_INLINE void multiply_end(float (&)[N]) {}
FERRY_INLINE void wgmma_fence() {}
FERRY_INLINE void shared_stores_fence() {}
#endif
FERRY_INLINE unsigned pack(float low, float high, f16)
{
    return pack_f16(low, high);
}
FERRY_INLINE unsigned pack(float low, float high, bf16)
{
    return pack_bf16(low, high);
}

union run {
    uint4 all;
    unsigned pairs[4];
    X_TYPE elements[8];
};

FERRY_INLINE X_TYPE rounded(X_TYPE v) { return v; }
FERRY_INLINE X_TYPE rounded(float v) { return element<X_TYPE>::of(v); }

// How the picture lies, in elements, and the part of it that a block reads.
struct source {
    const PICTURE_TYPE *x;
    int in_h, in_w, picture, line, pitch, channel_step;

    // Positions w and w + 1 of a line, zeros beyond its ends.
    __device__ __forceinline__ void read(const PICTURE_TYPE *from, bool inside, int w, run &to) const
    {
        to.all = make_uint4(0, 0, 0, 0);
#pragma unroll
        for (int i = 0; i < 2; i++)
            if (inside && (unsigned)(w + i) < (unsigned)in_w) {
#pragma unroll
                for (int c = 0; c < CHANNELS; c++)
                    to.elements[4 * i + c] = rounded(from[(long long)c * channel_step + (w + i) * pitch]);
            }
    }
    // `count` chunks, of line h of picture n from position w on, by a warp.
    __device__ __forceinline__ void copy(uint4 *to, int count, int n, int h, int w) const
    {
        constexpr int ahead = 4;
        const bool inside = (unsigned)h < (unsigned)in_h;
        const PICTURE_TYPE *from = x + (long long)n * picture + (inside ? h : 0) * line;
        for (int at = threadIdx.x % 32; at < count; at += 32 * ahead) {
            run u[ahead];
#pragma unroll
            for (int k = 0; k < ahead; k++) read(from, inside && at + 32 * k < count, w + 2 * (at + 32 * k), u[k]);
#pragma unroll
            for (int k = 0; k < ahead; k++)
                if (at + 32 * k < count) to[at + 32 * k] = u[k].all;
        }
    }
};

// Of four lanes, each with a pair of columns of four runs of eight: each gets a whole run, that of its own number.
FERRY_INLINE void turn(unsigned (&v)[4])
{
#pragma unroll
    for (int bit = 1; bit < 4; bit *= 2) {
        const bool odd = (threadIdx.x & bit) != 0;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            if (i & bit) continue;
            const unsigned got = __shfl_xor_sync(0xffffffffu, odd ? v[i] : v[i | bit], bit);
            if (odd)
                v[i] = got;
            else
                v[i | bit] = got;
        }
    }
}

FERRY_INLINE void put(X_TYPE *to, const run &v, int left, bool even)
{
    if (even && left >= 8) {
        *reinterpret_cast<uint4 *>(to) = v.all;
        return;
    }
#pragma unroll
    for (int e = 0; e < 8; e++)
        if (e < left) to[e] = v.elements[e];
}

#define CONSTANT(i, kind, type) , channel + e < channels ? o##i[channel + e] : 0.0f

extern "C" __global__ void __launch_bounds__(threads, RESIDENT)
    ferry_conv_picture(const PICTURE_TYPE *x, const uint4 *__restrict__ w, const float *__restrict__ bias,
                       X_TYPE *y, int tiles, int tiles_h, int tiles_w, int lines, int columns, int in_h, int in_w,
                       int out_h, int out_w, int channels, int pad_h, int pad_w, int x_picture, int x_line, int x_pitch,
                       int x_channel_step, int y_pitch OPERAND_PARAMETERS)
{
    FERRY_DYNAMIC_SHARED(uint4, shared);
    grid_dependency_launch();
    const int warp = number_of_warp(), lane = threadIdx.x % 32, first = blockIdx.y * TILE_N;
    const int pitch = columns + chunks - 1;                 // of a line, in chunks
    const int plane = (lines + (KERNEL_H - 1) / 2) * pitch; // of even lines, and of odd ones
    uint4 *const weights = shared + 2 * plane;
    for (int i = threadIdx.x; i < depth * TILE_N; i += threads)
        cp_async_16(weights + i, w + blockIdx.y * depth * TILE_N + i, true);
    cp_async_commit();
    float begin[TILE_N / 8][2];
#pragma unroll
    for (int j = 0; j < TILE_N / 8; j++) load<2>(bias + first + 8 * j + lane % 4 * 2, begin[j]);
    const bool even = ((unsigned long long)y & 15) == 0 && y_pitch % 8 == 0;
    const side left = left_side(shared), right = right_side(weights);
    const source from = {x, in_h, in_w, x_picture, x_line, x_pitch, x_channel_step};
    grid_dependency_wait();
    for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
        const int n = tile / (tiles_h * tiles_w), h = tile / tiles_w % tiles_h * lines, v = tile % tiles_w * columns;
        const int lines_here = min(lines, out_h - h), columns_here = min(columns, out_w - v);
        __syncthreads(); // all products of the tile before are made
        for (int i = warp; i < 2 * lines_here + KERNEL_H - 2; i += warps)
            from.copy(shared + i % 2 * plane + i / 2 * pitch, pitch, n, 2 * h + i - pad_h, 2 * v - pad_w);
        cp_async_wait<0>();
        shared_stores_fence();
        __syncthreads();
        for (int m = warp / 4 * 64; m < lines_here * pitch; m += groups * 64) {
            float d[TILE_N / 2];
#pragma unroll
            for (int j = 0; j < TILE_N / 2; j++) d[j] = begin[j / 4][j % 2];
            wgmma_fence();
#pragma unroll
            for (int k = 0; k < KERNEL_H; k++)
#pragma unroll
                for (int j = 0; j < chunks; j += 2)
                    multiply_add(d, left + (unsigned)(m + k % 2 * plane + k / 2 * pitch + j),
                                 right + (unsigned)((k * chunks + j) * TILE_N), X_TYPE());
            multiply_end(d);
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const int row = m + warp % 4 * 16 + lane / 4 + 8 * half, line = row / pitch, at = row - line * pitch;
                const long long position = (long long)(n * out_h + h + line) * out_w + v + at;
#pragma unroll
                for (int i = 0; i < TILE_N / 32; i++) {
                    run made;
#pragma unroll
                    for (int j = 0; j < 4; j++) {
                        float pair[2];
#pragma unroll
                        for (int e = 0; e < 2; e++) {
                            const int channel = first + 32 * i + 8 * j + lane % 4 * 2;
                            (void)channel;
                            pair[e] = ferry_chain(d[16 * i + 4 * j + 2 * half + e] FERRY_EACH_OPERAND(CONSTANT));
                        }
                        made.pairs[j] = pack(pair[0], pair[1], X_TYPE());
                    }
                    turn(made.pairs);
                    const int channel = first + 32 * i + lane % 4 * 8;
                    if (line < lines_here && at < columns_here)
                        put(y + position * y_pitch + channel, made, channels - channel, even);
                }
            }
        }
    }
}
