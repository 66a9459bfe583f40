// SPDX-License-Identifier: Apache-2.0
// Micro-kernels of int8 depthwise convolutions, channels last, with the epilogue of docs/INT8.md: a strip of
// neighbouring output positions.
#ifndef FERRY_SRC_BACKEND_CPU_DEPTHWISE_S8_H_
#define FERRY_SRC_BACKEND_CPU_DEPTHWISE_S8_H_

#include <stddef.h>
#include <stdint.h>

#include "backend/cpu/finish.h"

typedef struct ferry_depthwise_s8_strip {
    const int8_t *const *x; // [taps, filled up to a multiple of the row's tq]: each tap's first channel, or zeros
    size_t taps, positions, channels;
    size_t x_step; // elements between the inputs of neighbouring outputs
    const char *w; // as ferry_depthwise_s8_pack made it
    void *y;       // [positions][channels]
    const void *r; // the residual, like y; NULL: none
    bool y_float, r_float;
    const ferry_finish *finish;
} ferry_depthwise_s8_strip;

typedef void (*ferry_depthwise_s8_kernel)(const ferry_depthwise_s8_strip *strip);

/// Channels come in blocks. Within a block a kernel may keep them in an order of its own, in which starts, multipliers,
/// biases and weights are packed.
typedef struct ferry_depthwise_s8_row {
    const char *name;
    uint32_t isa;
    size_t block, tq;               // channels of a block; taps that are multiplied at a time
    bool biased;                    // elements are taken plus 128
    size_t (*slot)(size_t channel); // where a channel of the block lies
    ferry_depthwise_s8_kernel run;
} ferry_depthwise_s8_row;

const ferry_depthwise_s8_row *ferry_depthwise_s8_pick(uint32_t isa);

/// Bytes of a block: int32 starts, float multipliers and biases, then weights, tq of a channel side by side.
static inline size_t ferry_depthwise_s8_block_bytes(size_t block, size_t tq, size_t taps)
{
    return block * (sizeof(int32_t) + 2 * sizeof(float) + (taps + tq - 1) / tq * tq);
}

/// w [channels][taps]. `out` has a block for each `row->block` channels or part of them.
void ferry_depthwise_s8_pack(const ferry_depthwise_s8_row *row, size_t channels, size_t taps, const int8_t *w,
                             const float *mult, const float *bias, char *out);

#endif // FERRY_SRC_BACKEND_CPU_DEPTHWISE_S8_H_
