// SPDX-License-Identifier: Apache-2.0
// Convolution of any window, stride, dilation and groups, and transposed convolution, channels last, on the plain float
// units. A thread makes TILE outputs along the last dimension for M_WIDTH neighbouring channels of a group; weights lie
// [group][tap][channel in][channel out].
// Set before: X_TYPE, W_TYPE, Y_TYPE, C_WIDTH (input channels read at once), M_WIDTH, TILE, TRANSPOSED (0 or 1), the
// window along depth, height and width (KD ... strides SD ... dilations DD ...), the chain.
#pragma once
#include "operands.cuh"

// Where the tap of an output lies in the input along an axis; -1: nowhere.
FERRY_INLINE int source_of(int o, int tap, int stride, int dilation, int pad, int in)
{
#if TRANSPOSED
    const int at = o + pad - tap * dilation, place = at / stride;
    return at >= 0 && place * stride == at && place < in ? place : -1;
#else
    const int at = o * stride + tap * dilation - pad;
    return (unsigned)at < (unsigned)in ? at : -1;
#endif
}

// Threads [x] are runs of output channels, [y] tiles.
extern "C" __global__ void __launch_bounds__(128)
    ferry_conv_simt(const X_TYPE *x, const W_TYPE *w, const float *bias,
                    Y_TYPE *y, int tiles, int tiles_w, int c_each, int m_each, int m_all, int in_d,
                    int in_h, int in_w, int out_d, int out_h, int out_w, int pad_d, int pad_h, int pad_w, int x_row,
                    int y_row OPERAND_PARAMETERS)
{
    grid_dependency_launch();
    const int tile = blockIdx.x * blockDim.y + threadIdx.y;
    const int channel = (blockIdx.y * blockDim.x + threadIdx.x) * M_WIDTH;
    if (tile >= tiles || channel >= m_all) return;
    const int line = tile / tiles_w, first = (tile - line * tiles_w) * TILE;
    int rest = line / out_h;
    const int oh = line - rest * out_h, picture = rest / out_d, od = rest - picture * out_d;
    const int group = channel / m_each;
    float sum[TILE][M_WIDTH];
    load<M_WIDTH>(bias + channel, sum[0]);
#pragma unroll
    for (int t = 1; t < TILE; t++)
#pragma unroll
        for (int m = 0; m < M_WIDTH; m++) sum[t][m] = sum[0][m];
    grid_dependency_wait();
    const W_TYPE *filter =
        w + (long long)group * KD * KH * KW * c_each * m_each + (channel - group * m_each);
    const X_TYPE *from = x + (long long)group * c_each;
#pragma unroll 1
    for (int kd = 0; kd < KD; kd++)
#pragma unroll 1
        for (int kh = 0; kh < KH; kh++) {
            const int id = source_of(od, kd, SD, DD, pad_d, in_d);
            const int ih = source_of(oh, kh, SH, DH, pad_h, in_h);
            if (id < 0 || ih < 0) {
                filter += (long long)KW * c_each * m_each;
                continue;
            }
            const int row = ((picture * in_d + id) * in_h + ih) * in_w;
#pragma unroll 1
            for (int kw = 0; kw < KW; kw++, filter += (long long)c_each * m_each) {
                const X_TYPE *at[TILE];
                bool inside[TILE], any = false;
#pragma unroll
                for (int t = 0; t < TILE; t++) {
                    const int iw = source_of(first + t, kw, SW, DW, pad_w, in_w);
                    inside[t] = iw >= 0;
                    any |= inside[t];
                    at[t] = from + (long long)(row + (inside[t] ? iw : 0)) * x_row;
                }
                if (!any) continue;
#pragma unroll 1
                for (int c = 0; c < c_each; c += C_WIDTH) {
                    float in[TILE][C_WIDTH];
#pragma unroll
                    for (int t = 0; t < TILE; t++) {
                        if (inside[t]) {
                            load<C_WIDTH>(at[t] + c, in[t]);
                        } else {
#pragma unroll
                            for (int e = 0; e < C_WIDTH; e++) in[t][e] = 0.0f;
                        }
                    }
#pragma unroll
                    for (int e = 0; e < C_WIDTH; e++) {
                        float f[M_WIDTH];
                        load<M_WIDTH>(filter + (long long)(c + e) * m_each, f);
#pragma unroll
                        for (int t = 0; t < TILE; t++)
#pragma unroll
                            for (int m = 0; m < M_WIDTH; m++) sum[t][m] = fmaf(in[t][e], f[m], sum[t][m]);
                    }
                }
            }
        }
#pragma unroll
    for (int t = 0; t < TILE; t++)
        if (first + t < out_w) finish<M_WIDTH>(sum[t], y, y_row, line * out_w + first + t, picture, channel OPERANDS);
}
