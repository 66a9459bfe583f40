// SPDX-License-Identifier: Apache-2.0
// Both sides of a product on their way to shared memory. A row of the left matrix is the window of one output position
// (or, without windows, a row that lies evenly); a row of the right one is the packed weights of one output channel.
// Along a row run the taps of the window, and in each the channels, rounded up to whole chunks of 16 bytes.
// Set before: X_TYPE, TILE_M, TILE_N, WARPS_M, WARPS_N, SLICES, VECTOR (bytes that a copy of the left side has, to which
// its channels and steps are multiples: 16, 8 or 4; 0: element by element), X_ZERO (what borders of int8 hold; 0 of
// others), WINDOW (0 or 1), and with it KERNEL_H, KERNEL_W, STRIDE_H, STRIDE_W, DILATION_H, DILATION_W.
#pragma once
#include "types.cuh"

// What products are summed in: int8 exactly.
template <class T> struct sum_of {
    typedef float type;
};
template <> struct sum_of<s8> {
    typedef int type;
};
typedef sum_of<X_TYPE>::type sum_type;

constexpr int threads = 32 * WARPS_M * WARPS_N * SLICES;
constexpr int chunk = 16 / (int)sizeof(X_TYPE); // elements
constexpr int tile_k = 8 * chunk;               // a tile's rows have 128 bytes

// Where chunk `column` of a tile's row lies: in an order by which eight rows read at a time meet all banks.
FERRY_INLINE int chunk_at(int row, int column)
{
    return row * 128 + ((column ^ (row & 7)) << 4);
}

struct left_shape {
    int rows, channels, depth;             // depth: channels in whole chunks
    int pitch, channel_step;               // elements from position to position, and from channel to channel
    int picture, line;                     // elements from picture to picture and from line to line
    int in_h, in_w, out_w, plane, pad_h, pad_w; // plane: output positions of a picture
};

// The rows of the left matrix that one thread copies: always the same column of chunks.
struct left_rows {
    static constexpr int count = TILE_M * 8 / threads;
    static_assert(count > 0 && count * threads == TILE_M * 8, "every thread copies as many chunks");
    const X_TYPE *x;
    int at, c, offset[count]; // at: of its first chunk in a tile; c: channel
#if WINDOW
    int top[count], left[count], tap_h, tap_w;
#endif

    // Rows from `first` on, elements from `k` on. Rows beyond the last one repeat it: nobody stores their sums.
    __device__ __forceinline__ void begin(const X_TYPE *from, const left_shape &s, int first, int k)
    {
        const int row = threadIdx.x / 8, column = threadIdx.x % 8;
        x = from;
        at = chunk_at(row, column);
        c = k + column * chunk;
#if WINDOW
        const int tap = c / s.depth;
        c -= tap * s.depth;
        tap_h = tap / KERNEL_W * DILATION_H;
        tap_w = tap % KERNEL_W * DILATION_W;
#endif
#pragma unroll
        for (int i = 0; i < count; i++) {
            const int m = min(first + row + i * (threads / 8), s.rows - 1);
#if WINDOW
            const int n = m / s.plane, position = m - n * s.plane, h = position / s.out_w;
            top[i] = h * STRIDE_H - s.pad_h;
            left[i] = (position - h * s.out_w) * STRIDE_W - s.pad_w;
            offset[i] = n * s.picture + top[i] * s.line + left[i] * s.pitch;
#else
            offset[i] = m * s.pitch;
#endif
        }
    }

    // Copies the tile's chunks and goes on to the next tile.
    __device__ __forceinline__ void copy(unsigned char *tile, const left_shape &s)
    {
        int elements = s.channels - c, from = c * s.channel_step;
#if WINDOW
        if (tap_h >= KERNEL_H * DILATION_H) elements = 0;
        from += tap_h * s.line + tap_w * s.pitch;
#endif
#pragma unroll
        for (int i = 0; i < count; i++) {
            int n = elements;
#if WINDOW
            if ((unsigned)(top[i] + tap_h) >= (unsigned)s.in_h || (unsigned)(left[i] + tap_w) >= (unsigned)s.in_w) {
#if X_ZERO
                constexpr unsigned zeros = (X_ZERO & 255) * 0x01010101u;
                *reinterpret_cast<uint4 *>(tile + at + i * (threads / 8) * 128) =
                    make_uint4(zeros, zeros, zeros, zeros);
                continue;
#endif
                n = 0;
            }
#endif
            copy_chunk(tile + at + i * (threads / 8) * 128, x + (n > 0 ? (long long)offset[i] + from : 0), n,
                       s.channel_step);
        }
        c += tile_k;
#if WINDOW
        while (c >= s.depth) {
            c -= s.depth;
            tap_w += DILATION_W;
            if (tap_w == KERNEL_W * DILATION_W) {
                tap_w = 0;
                tap_h += DILATION_H;
            }
        }
#endif
    }

    __device__ __forceinline__ void copy_chunk(unsigned char *to, const X_TYPE *from, int elements, int step) const
    {
#if VECTOR == 16
        cp_async_16(to, from, elements > 0);
#elif VECTOR
        constexpr int piece = VECTOR / (int)sizeof(X_TYPE);
#pragma unroll
        for (int e = 0; e < chunk; e += piece) {
            const bool valid = e < elements;
#if VECTOR == 8
            cp_async_8(to + e * sizeof(X_TYPE), valid ? from + e : x, valid);
#else
            cp_async_4(to + e * sizeof(X_TYPE), valid ? from + e : x, valid);
#endif
        }
#else
        union {
            uint4 all;
            X_TYPE elements[chunk];
        } u;
        u.all = make_uint4(0, 0, 0, 0);
#pragma unroll
        for (int e = 0; e < chunk; e++)
            if (e < elements) u.elements[e] = from[(long long)e * step];
        *reinterpret_cast<uint4 *>(to) = u.all;
#endif
    }
};

// The packed weights, [columns in whole tiles][elements in whole tiles].
struct right_rows {
    static constexpr int count = TILE_N * 8 / threads;
    static_assert(count > 0 && count * threads == TILE_N * 8, "every thread copies as many chunks");
    const X_TYPE *w;
    int at, step;

    __device__ __forceinline__ void begin(const X_TYPE *from, int first, int k, int row_elements)
    {
        const int row = threadIdx.x / 8, column = threadIdx.x % 8;
        at = chunk_at(row, column);
        w = from + (long long)(first + row) * row_elements + k + column * chunk;
        step = row_elements * (threads / 8);
    }
    __device__ __forceinline__ void copy(unsigned char *tile)
    {
#pragma unroll
        for (int i = 0; i < count; i++) cp_async_16(tile + at + i * (threads / 8) * 128, w + (long long)i * step, true);
        w += tile_k;
    }
};
