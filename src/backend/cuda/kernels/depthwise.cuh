// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution, channels last: a thread makes a tile of TILE_H x TILE_W outputs for WIDTH neighbouring
// channels, so that it reads each input it needs once. Weights lie tap by tap, [KH * KW][channels].
// Set before: X_TYPE, W_TYPE, Y_TYPE, WIDTH, the window (KH, KW, SH, SW, DH, DW), TILE_H, TILE_W, the chain.
#pragma once
#include "operands.cuh"

#define ROWS ((TILE_H - 1) * SH + (KH - 1) * DH + 1)
#define COLUMNS ((TILE_W - 1) * SW + (KW - 1) * DW + 1)

template <int W> FERRY_INLINE void load_or_zero(const X_TYPE *from, bool inside, float (&to)[W])
{
    if (inside) {
        load<W>(from, to);
    } else {
#pragma unroll
        for (int e = 0; e < W; e++) to[e] = 0.0f;
    }
}

// threadIdx.x counts runs of channels, threadIdx.y tiles; tiles lie row by row, picture by picture.
extern "C" __global__ void __launch_bounds__(128)
    ferry_depthwise(const X_TYPE *x, const W_TYPE *w, const float *bias,
                    Y_TYPE *y, int in_h, int in_w, int out_h, int out_w, int channels, int pad_h, int pad_w,
                    int x_row, int y_row, int tiles, int tiles_h, int tiles_w OPERAND_PARAMETERS)
{
    grid_dependency_launch();
    const int tile = blockIdx.x * blockDim.y + threadIdx.y;
    const int channel = (blockIdx.y * blockDim.x + threadIdx.x) * WIDTH;
    if (tile >= tiles || channel >= channels) return;
    const int line = tile / tiles_w, picture = line / tiles_h;
    const int first_h = (line - picture * tiles_h) * TILE_H, first_w = (tile - line * tiles_w) * TILE_W;
    float sum[TILE_H][TILE_W][WIDTH];
    load<WIDTH>(bias + channel, sum[0][0]);
#pragma unroll
    for (int i = 1; i < TILE_H * TILE_W; i++)
#pragma unroll
        for (int e = 0; e < WIDTH; e++) sum[i / TILE_W][i % TILE_W][e] = sum[0][0][e];
    for (int tap = threadIdx.y; tap < KH * KW; tap += blockDim.y) prefetch_l2(w + tap * channels + channel);
    grid_dependency_wait();
    const int top = first_h * SH - pad_h, left = first_w * SW - pad_w;
#if KH * KW <= 9 // more would keep more rows in registers than there are
#pragma unroll
#else
#pragma unroll 1
#endif
    for (int r = 0; r < ROWS; r++) {
        const bool row_inside = (unsigned)(top + r) < (unsigned)in_h;
        const X_TYPE *row = x + (long long)((picture * in_h + top + r) * in_w + left) * x_row + channel;
        float in[COLUMNS][WIDTH];
#pragma unroll
        for (int c = 0; c < COLUMNS; c++)
            load_or_zero(row + (long long)c * x_row, row_inside && (unsigned)(left + c) < (unsigned)in_w, in[c]);
#pragma unroll
        for (int th = 0; th < TILE_H; th++) {
            const int reach = r - th * SH;
            if (reach < 0 || reach % DH != 0 || reach / DH >= KH) continue;
#pragma unroll
            for (int k = 0; k < KW; k++) {
                float f[WIDTH];
                load<WIDTH>(w + (reach / DH * KW + k) * channels + channel, f);
#pragma unroll
                for (int tw = 0; tw < TILE_W; tw++)
#pragma unroll
                    for (int e = 0; e < WIDTH; e++)
                        sum[th][tw][e] = fmaf(in[tw * SW + k * DW][e], f[e], sum[th][tw][e]);
            }
        }
    }
#pragma unroll
    for (int th = 0; th < TILE_H; th++)
#pragma unroll
        for (int tw = 0; tw < TILE_W; tw++)
            if (first_h + th < out_h && first_w + tw < out_w)
                finish<WIDTH>(sum[th][tw], y, y_row, (picture * out_h + first_h + th) * out_w + first_w + tw, picture,
                              channel OPERANDS);
}
