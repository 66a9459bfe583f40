// SPDX-License-Identifier: Apache-2.0
// Micro-kernels of depthwise convolutions of bf16, channels last, summed in f32: a strip of neighbouring output
// positions.
#ifndef FERRY_SRC_BACKEND_CPU_DEPTHWISE_BF16_H_
#define FERRY_SRC_BACKEND_CPU_DEPTHWISE_BF16_H_

#include "backend/cpu/depthwise_f32.h"

typedef struct ferry_depthwise_bf16_strip {
    const uint16_t *x;
    const ferry_depthwise_tap *taps;
    size_t n_taps, positions, channels;
    size_t x_step;     // elements between the inputs of neighbouring outputs
    const float *w;    // in ferry_depthwise_bf16_place's order, at w[tap.w + place]
    const float *bias; // [channels] in that order
    uint16_t *y;       // [positions][channels]
    const uint16_t *r; // like y; NULL: none
    const ferry_finish *finish;
} ferry_depthwise_bf16_strip;

/// Every element is bias + tap 0 + tap 1 ..., in that order, rounded once.
typedef void (*ferry_depthwise_bf16_kernel)(const ferry_depthwise_bf16_strip *strip);

typedef struct ferry_depthwise_bf16_row {
    const char *name;
    uint32_t isa;
    size_t vec; // floats of a vector; weights are filled up to a multiple of two vectors
    ferry_depthwise_bf16_kernel run;
} ferry_depthwise_bf16_row;

/// As ferry_gemm_half_pick.
const ferry_depthwise_bf16_row *ferry_depthwise_bf16_pick(uint32_t isa);

/// Two vectors of channels are widened at a time, those of even index first: where the channel's weights lie.
static inline size_t ferry_depthwise_bf16_place(size_t vec, size_t channel)
{
    const size_t at = channel % (2 * vec);
    return channel - at + at % 2 * vec + at / 2;
}

#endif // FERRY_SRC_BACKEND_CPU_DEPTHWISE_BF16_H_
