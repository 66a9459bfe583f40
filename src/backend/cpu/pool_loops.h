// SPDX-License-Identifier: Apache-2.0
// Pooling of one output position, channels last: elements that lie `taps[t]` behind x, for each channel.
#ifndef FERRY_SRC_BACKEND_CPU_POOL_LOOPS_H_
#define FERRY_SRC_BACKEND_CPU_POOL_LOOPS_H_

#include <stddef.h>
#include <stdint.h>

#include "backend/cpu/depthwise_f32.h"

/// Which elements of each channel: n of them, at taps[i].x, or at i * step when taps is NULL.
typedef struct ferry_pool_window {
    const ferry_depthwise_tap *taps;
    ptrdiff_t step;
    size_t n, channels;
    float count, mult, shift; // of an average: sum / count * mult + shift, the latter two of int8 only
} ferry_pool_window;

typedef void (*ferry_pool_f32)(const ferry_pool_window *window, const float *x, float *y);
typedef void (*ferry_pool_bf16)(const ferry_pool_window *window, const uint16_t *x, uint16_t *y);
typedef void (*ferry_pool_s8)(const ferry_pool_window *window, const int8_t *x, int8_t *y);
typedef void (*ferry_pool_u8)(const ferry_pool_window *window, const uint8_t *x, uint8_t *y);
typedef void (*ferry_pool_s8_f32)(const ferry_pool_window *window, const int8_t *x, float *y);

typedef struct ferry_pool_row {
    ferry_pool_f32 max_f32, average_f32;
    ferry_pool_bf16 max_bf16, average_bf16;
    ferry_pool_s8 max_s8, average_s8;
    ferry_pool_u8 max_u8;
    ferry_pool_s8_f32 average_s8_f32;
} ferry_pool_row;

const ferry_pool_row *ferry_pool_pick(uint32_t isa);

#endif // FERRY_SRC_BACKEND_CPU_POOL_LOOPS_H_
