// SPDX-License-Identifier: Apache-2.0
// Micro-kernels of depthwise convolutions of 16-bit floats, f16 or bf16, channels last: a strip of neighbouring output
// positions.
#ifndef FERRY_SRC_BACKEND_CPU_DEPTHWISE_HALF_H_
#define FERRY_SRC_BACKEND_CPU_DEPTHWISE_HALF_H_

#include "backend/cpu/depthwise_f32.h"
#include "graph/graph.h"

typedef struct ferry_depthwise_half_strip {
    const uint16_t *x;
    const ferry_depthwise_tap *taps;
    size_t n_taps, positions, channels;
    size_t x_step;       // elements between the inputs of neighbouring outputs
    const float *packed; // as ferry_depthwise_pack made it
    size_t padded;       // channels there
    uint16_t *y;         // [positions][channels]
    const uint16_t *r;   // like y; NULL: none
    const ferry_finish *finish;
} ferry_depthwise_half_strip;

/// Every element is bias + tap 0 + tap 1 ..., in that order, rounded once; of f16, the taps are summed in f16 first.
typedef void (*ferry_depthwise_half_kernel)(const ferry_depthwise_half_strip *strip);

typedef struct ferry_depthwise_half_row {
    const char *name;
    ferry_dtype dtype;
    uint32_t isa;
    size_t vec; // floats of a vector; weights are filled up to a multiple of two vectors
    ferry_depthwise_half_kernel run;
} ferry_depthwise_half_row;

/// As ferry_gemm_half_pick.
const ferry_depthwise_half_row *ferry_depthwise_half_pick(uint32_t isa, ferry_dtype dtype);

/// Two vectors of channels of bf16 are widened at a time, those of even index first: where the channel's weights lie.
static inline size_t ferry_depthwise_bf16_place(size_t vec, size_t channel)
{
    const size_t at = channel % (2 * vec);
    return channel - at + at % 2 * vec + at / 2;
}

#endif // FERRY_SRC_BACKEND_CPU_DEPTHWISE_HALF_H_
