// SPDX-License-Identifier: Apache-2.0
// Micro-kernels of depthwise convolutions in float, channels last: a strip of neighbouring output positions.
#ifndef FERRY_SRC_BACKEND_CPU_DEPTHWISE_F32_H_
#define FERRY_SRC_BACKEND_CPU_DEPTHWISE_F32_H_

#include <stddef.h>
#include <stdint.h>

#include "backend/cpu/finish.h"

/// A filter tap that does not lie in the padding: where it reads, from the strip's first position, and its weights.
typedef struct ferry_depthwise_tap {
    ptrdiff_t x, w; // in elements
} ferry_depthwise_tap;

typedef struct ferry_depthwise_f32_strip {
    const float *x;
    const ferry_depthwise_tap *taps;
    size_t n_taps, positions, channels;
    size_t x_step;     // elements between the inputs of neighbouring outputs
    const float *w;    // at w[tap.w + channel]
    const float *bias; // [channels]
    float *y;          // [positions][channels]
    const float *r;    // like y; NULL: none
    const ferry_finish *finish;
} ferry_depthwise_f32_strip;

/// Channels of weights and biases are filled up to a multiple of this, so that kernels may load whole vectors.
#define FERRY_DEPTHWISE_PAD 16

/// Every element is bias + tap 0 + tap 1 ..., in that order.
typedef void (*ferry_depthwise_f32_kernel)(const ferry_depthwise_f32_strip *strip);

typedef struct ferry_depthwise_f32_row {
    const char *name;
    uint32_t isa;
    ferry_depthwise_f32_kernel run;
} ferry_depthwise_f32_row;

const ferry_depthwise_f32_row *ferry_depthwise_f32_pick(uint32_t isa);

#endif // FERRY_SRC_BACKEND_CPU_DEPTHWISE_F32_H_
