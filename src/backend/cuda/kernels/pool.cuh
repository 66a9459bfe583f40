// SPDX-License-Identifier: Apache-2.0
// Maximum and average over windows. A thread makes one output for WIDTH neighbouring channels; a tensor in the plain
// layout is one of as many pictures as it has planes, with one channel.
// Set before: X_TYPE, WIDTH, MAXIMUM (0 or 1), COUNT_PADS (0 or 1), the window along height and width (KH, KW).
#pragma once
#include "types.cuh"

#define NOTHING (MAXIMUM ? -__int_as_float(0x7f800000) : 0.0f)

// Taps along an axis that count when padding counts: those inside the padded input.
FERRY_INLINE int counted(int first, int end, int dilation, int kernel)
{
    const int taps = (end - first + dilation - 1) / dilation;
    return taps < kernel ? taps : kernel;
}

FERRY_INLINE void take(float &v, float x)
{
#if MAXIMUM
    v = x > v || x != x ? x : v; // a NaN stays: nothing is more than it
#else
    v += x;
#endif
}

// The window's maximum or sum so far, of neighbouring channels. Halves are compared in pairs, as they are, where the chip can.
#if MAXIMUM && WIDTH % 2 == 0 && __CUDA_ARCH__ >= 800
#define HAS_PAIRS 1
#else
#define HAS_PAIRS 0
#endif
template <class T, bool PAIRS> struct so_far {
    float v[WIDTH];
    __device__ __forceinline__ void begin()
    {
#pragma unroll
        for (int e = 0; e < WIDTH; e++) v[e] = NOTHING;
    }
    __device__ __forceinline__ void add(const T *from)
    {
        float in[WIDTH];
        load<WIDTH>(from, in);
#pragma unroll
        for (int e = 0; e < WIDTH; e++) take(v[e], in[e]);
    }
    __device__ __forceinline__ void put(T *to) const { store<WIDTH>(to, v); }
};
#if HAS_PAIRS
FERRY_INLINE unsigned larger(unsigned a, unsigned b, f16) { return max_nan_f16x2(a, b); }
FERRY_INLINE unsigned larger(unsigned a, unsigned b, bf16) { return max_nan_bf16x2(a, b); }
FERRY_INLINE unsigned nothing(f16) { return 0xfc00fc00u; }
FERRY_INLINE unsigned nothing(bf16) { return 0xff80ff80u; }
template <class T> struct so_far<T, true> {
    union run {
        typename word<2 * WIDTH>::type all;
        unsigned pairs[WIDTH / 2];
    } v;
    __device__ __forceinline__ void begin()
    {
#pragma unroll
        for (int e = 0; e < WIDTH / 2; e++) v.pairs[e] = nothing(T());
    }
    __device__ __forceinline__ void add(const T *from)
    {
        run in;
        in.all = *reinterpret_cast<const typename word<2 * WIDTH>::type *>(from);
#pragma unroll
        for (int e = 0; e < WIDTH / 2; e++) v.pairs[e] = larger(v.pairs[e], in.pairs[e], T());
    }
    __device__ __forceinline__ void put(T *to) const { *reinterpret_cast<typename word<2 * WIDTH>::type *>(to) = v.all; }
};
#endif
typedef so_far<X_TYPE, HAS_PAIRS && sizeof(X_TYPE) == 2> window_of;

extern "C" __global__ void __launch_bounds__(128, 8)
    ferry_pool(const X_TYPE *x, X_TYPE *y, int positions, int channels, int in_d, int in_h,
               int in_w, int out_d, int out_h, int out_w, int kernel_d, int stride_d, int stride_h, int stride_w,
               int dilation_d, int dilation_h, int dilation_w, int pad_d, int pad_h, int pad_w, int end_d, int end_h,
               int end_w, int x_row, int y_row)
{
    grid_dependency_launch();
    const int position = blockIdx.x * blockDim.y + threadIdx.y;
    const int channel = (blockIdx.y * blockDim.x + threadIdx.x) * WIDTH;
    if (position >= positions || channel >= channels) return;
    int rest = position / out_w;
    const int left = (position - rest * out_w) * stride_w - pad_w;
    int line = rest / out_h;
    const int top = (rest - line * out_h) * stride_h - pad_h;
    const int picture = line / out_d, front = (line - picture * out_d) * stride_d - pad_d;
    window_of window;
    int count = 0;
    window.begin();
    grid_dependency_wait();
    for (int d = 0; d < kernel_d; d++) {
        const int depth = front + d * dilation_d;
        if ((unsigned)depth >= (unsigned)in_d) continue;
#pragma unroll UNROLL_H
        for (int h = 0; h < KH; h++) {
            const int height = top + h * dilation_h;
            const bool row_inside = (unsigned)height < (unsigned)in_h;
            const X_TYPE *row = x + (long long)(((picture * in_d + depth) * in_h + height) * in_w) * x_row + channel;
#pragma unroll UNROLL_W
            for (int w = 0; w < KW; w++) {
                const int width = left + w * dilation_w;
                const bool inside = row_inside && (unsigned)width < (unsigned)in_w;
                if (inside) window.add(row + (long long)width * x_row);
                count += inside;
            }
        }
    }
#if COUNT_PADS
    count = counted(front, end_d, dilation_d, kernel_d) * counted(top, end_h, dilation_h, KH) *
            counted(left, end_w, dilation_w, KW);
#endif
#if !MAXIMUM
    const float part = count > 0 ? 1.0f / (float)count : 0.0f;
#pragma unroll
    for (int e = 0; e < WIDTH; e++) window.v[e] *= part;
#endif
    window.put(y + (long long)position * y_row + channel);
}
