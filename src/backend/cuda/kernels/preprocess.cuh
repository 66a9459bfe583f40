// SPDX-License-Identifier: Apache-2.0
// A picture of bytes to a network's input, as vision/preprocess_work.h lays it out: integers alone, so that the result
// is the CPU's to the bit. Each thread makes one pixel.
#pragma once
#include "primitives.cuh"

#define FRACTION_BITS 22 // of weights

// One direction of the resize at one pixel; without weights its first place is taken as it is.
struct window {
    int begin, length;
    const int *weights;
    size_t step; // bytes from place to place in the picture
};

FERRY_INLINE window find_window(const int *tables, int i, int begin, int length, int weights, int taps, size_t step)
{
    const window w = {tables[begin + i], tables[length + i],
                      taps ? tables + weights + (size_t)i * taps : (const int *)0, step};
    return w;
}

// Member by member, as what has an address lies in memory.
FERRY_INLINE window choose(int first, const window a, const window b)
{
    const window w = {first ? a.begin : b.begin, first ? a.length : b.length, first ? a.weights : b.weights,
                      first ? a.step : b.step};
    return w;
}

FERRY_INLINE int clip_byte(int fixed)
{
    const int v = fixed >> FRACTION_BITS;
    return v < 0 ? 0 : v > 255 ? 255 : v;
}

// C channels are resized. Pillow's luma where the picture has colours and the network has none.
template <int C> FERRY_INLINE void read_pixel(const unsigned char *p, bool grey, int (&v)[C])
{
    v[0] = grey ? (int)((p[0] * 19595u + p[1] * 38470u + p[2] * 7471u + 0x8000u) >> 16) : p[0];
#pragma unroll
    for (int c = 1; c < C; c++) v[c] = p[c];
}

// Along one direction, rounded to bytes.
template <int C> FERRY_INLINE void sum_along(const unsigned char *p, const window &w, bool grey, int (&out)[C])
{
    if (!w.weights) {
        read_pixel(p, grey, out);
        return;
    }
    int sums[C], v[C];
#pragma unroll
    for (int c = 0; c < C; c++) sums[c] = 1 << (FRACTION_BITS - 1);
    for (int k = 0; k < w.length; k++, p += w.step) {
        const int weight = w.weights[k];
        read_pixel(p, grey, v);
#pragma unroll
        for (int c = 0; c < C; c++) sums[c] += v[c] * weight;
    }
#pragma unroll
    for (int c = 0; c < C; c++) out[c] = clip_byte(sums[c]);
}

template <int C>
FERRY_INLINE void resize(const unsigned char *picture, const window &first, const window &second, bool grey,
                         int (&out)[C])
{
    const unsigned char *p = picture + first.begin * first.step + second.begin * second.step;
    if (!second.weights) {
        sum_along(p, first, grey, out);
        return;
    }
    int sums[C], v[C];
#pragma unroll
    for (int c = 0; c < C; c++) sums[c] = 1 << (FRACTION_BITS - 1);
    for (int k = 0; k < second.length; k++, p += second.step) {
        sum_along(p, first, grey, v);
#pragma unroll
        for (int c = 0; c < C; c++) sums[c] += v[c] * second.weights[k];
    }
#pragma unroll
    for (int c = 0; c < C; c++) out[c] = clip_byte(sums[c]);
}

FERRY_INLINE void write_element(void *out, size_t at, int bits, int bytes)
{
    if (bytes == 4)
        reinterpret_cast<int *>(out)[at] = bits;
    else if (bytes == 2)
        reinterpret_cast<unsigned short *>(out)[at] = (unsigned short)bits;
    else
        reinterpret_cast<unsigned char *>(out)[at] = (unsigned char)bits;
}

// Numbers and places in `tables` are those of ferry_preprocess_work; taps 0: no weights.
extern "C" __global__ void __launch_bounds__(256)
    ferry_preprocess(const unsigned char *picture, const int *tables, void *out, long long source_stride,
                     int source_channels, int grey, int flipped, int down_first, int width, int height, int channels,
                     int content_x, int content_y, int content_width, int content_height, int x_begin, int x_length,
                     int x_weights, int x_taps, int y_begin, int y_length, int y_weights, int y_taps, int channels_at,
                     int element_bytes, int planar)
{
    const int x = (int)(blockIdx.x * 32u + threadIdx.x), y = (int)(blockIdx.y * 8u + threadIdx.y);
    if (x >= width || y >= height) return;
    const int i = x - content_x, j = y - content_y;
    int v[3] = {256, 256, 256}; // padding
    if (i >= 0 && i < content_width && j >= 0 && j < content_height) {
        const window across = find_window(tables, i, x_begin, x_length, x_weights, x_taps, (size_t)source_channels);
        const window down = find_window(tables, j, y_begin, y_length, y_weights, y_taps, (size_t)source_stride);
        const window first = choose(down_first, down, across), second = choose(down_first, across, down);
        if (grey || source_channels == 1) {
            int one[1];
            resize(picture, first, second, grey != 0, one);
            v[0] = v[1] = v[2] = one[0];
        } else {
            resize(picture, first, second, false, v);
        }
    }
#pragma unroll
    for (int c = 0; c < 3; c++) {
        if (c >= channels) break;
        const int byte = flipped ? v[2 - c] : v[c];
        const size_t at = planar ? ((size_t)c * height + y) * width + x : ((size_t)y * width + x) * channels + c;
        write_element(out, at, tables[channels_at + 257 * c + byte], element_bytes);
    }
}
