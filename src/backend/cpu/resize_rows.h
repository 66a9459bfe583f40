// SPDX-License-Identifier: Apache-2.0
// The loops of resize_loops.h, for the compiler to vectorise: a file per instruction set includes it with ROW, the name
// of its table, and ISA, its name and bit.
#include <math.h>

#include "backend/cpu/isa.h"
#include "backend/cpu/loops.h"
#include "backend/cpu/resize_loops.h"
#include "backend/cpu/round_s8.h"

static void channels_f32(const float *top, const float *bottom, float w_top, float w_bottom,
                         const ferry_resize_tap2 *tap, float *y, size_t n)
{
    const float *a = top + tap->at0, *b = top + tap->at1, *c = bottom + tap->at0, *d = bottom + tap->at1;
    const float w0 = tap->w0, w1 = tap->w1;
    FERRY_VECTORS
    for (size_t i = 0; i < n; i++) {
        const float left = a[i] * w_top + c[i] * w_bottom, right = b[i] * w_top + d[i] * w_bottom;
        y[i] = left * w0 + right * w1;
    }
}

static void channels_s8(const int8_t *top, const int8_t *bottom, float w_bottom, const ferry_resize_tap2 *tap,
                        float mult, float shift, int8_t *y, size_t n)
{
    const int8_t *a = top + tap->at0, *b = top + tap->at1, *c = bottom + tap->at0, *d = bottom + tap->at1;
    const float w1 = tap->w1;
    FERRY_VECTORS
    for (size_t i = 0; i < n; i++) {
        const float h0 = fmaf((float)(b[i] - a[i]), w1, (float)a[i]);
        const float h1 = fmaf((float)(d[i] - c[i]), w1, (float)c[i]);
        y[i] = round_s8(fmaf(fmaf(h1 - h0, w_bottom, h0), mult, shift));
    }
}

static void blend_f32(const float *top, const float *bottom, float w_top, float w_bottom, float *y, size_t n)
{
    FERRY_VECTORS
    for (size_t i = 0; i < n; i++) y[i] = top[i] * w_top + bottom[i] * w_bottom;
}

static void columns_f32(const float *row, const ferry_resize_tap2 *taps, float *y, size_t n)
{
    FERRY_VECTORS
    for (size_t i = 0; i < n; i++) y[i] = row[taps[i].at0] * taps[i].w0 + row[taps[i].at1] * taps[i].w1;
}

static void columns_s8(const int8_t *top, const int8_t *bottom, float w_bottom, const ferry_resize_tap2 *taps,
                       float mult, float shift, int8_t *y, size_t n)
{
    FERRY_VECTORS
    for (size_t i = 0; i < n; i++) {
        const int32_t a = top[taps[i].at0], b = top[taps[i].at1];
        const int32_t c = bottom[taps[i].at0], d = bottom[taps[i].at1];
        const float h0 = fmaf((float)(b - a), taps[i].w1, (float)a), h1 = fmaf((float)(d - c), taps[i].w1, (float)c);
        y[i] = round_s8(fmaf(fmaf(h1 - h0, w_bottom, h0), mult, shift));
    }
}

extern const ferry_resize_row ROW;
const ferry_resize_row ROW = {ISA, channels_f32, channels_s8, blend_f32, columns_f32, columns_s8};
