// SPDX-License-Identifier: Apache-2.0
// Micro-kernels of depthwise convolutions of bf16 that multiply two lines of the window at once: the picture's lines,
// padding included, are brought together by twos, element beside element, in a small buffer. There windows meet no
// border, and a line is brought in once for all windows that see it.
#ifndef FERRY_SRC_BACKEND_CPU_DEPTHWISE_PAIRS_BF16_H_
#define FERRY_SRC_BACKEND_CPU_DEPTHWISE_PAIRS_BF16_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/cpu/finish.h"

/// Most pairs of lines that a window can touch.
#define FERRY_DEPTHWISE_PAIRS 8

/// Pairs that windows of so many lines touch, wherever they begin.
static inline size_t ferry_depthwise_pairs_of(size_t lines)
{
    return lines / 2 + 1;
}

/// A panel is 2 * vec channels; a pair of lines has, for each column, a panel's elements of both.
typedef struct ferry_depthwise_pairing {
    const uint16_t *upper, *lower; // the first column's; NULL: zeros
    size_t step, columns;          // elements between columns
    size_t channels;               // 1..2 * vec; the others become 0
    uint16_t *to;                  // [columns][2 * vec][2]
} ferry_depthwise_pairing;

/// Output columns of one line, and a panel of channels.
typedef struct ferry_depthwise_pairs {
    const uint16_t *x[FERRY_DEPTHWISE_PAIRS]; // pairs of lines under the window, from the first output's columns on
    size_t pairs, taps;                       // of the window: pairs of lines, and columns
    size_t columns, stride;                   // of the output; columns of x between neighbouring outputs
    const uint16_t *w;                        // [pairs][taps][2 * vec][2]
    const float *bias;                        // [2 * vec]
    uint16_t *y;
    size_t y_step;   // elements between output columns
    size_t channels; // 1..2 * vec
    const ferry_finish *finish;
} ferry_depthwise_pairs;

typedef struct ferry_depthwise_pairs_row {
    const char *name;
    uint32_t isa;
    size_t vec;
    void (*pair)(const ferry_depthwise_pairing *pairing);
    /// Every element is bias + pair 0 of tap 0 + pair 0 of tap 1 ..., rounded once. Rounding within a pair, and
    /// denormals, are as in gemm_half.h. The line beside a window of an odd number of lines has weights of 0: what is
    /// not finite there makes the result NaN.
    void (*run)(const ferry_depthwise_pairs *line);
} ferry_depthwise_pairs_row;

/// The newest row that `isa` can run; NULL where other kernels are faster.
const ferry_depthwise_pairs_row *ferry_depthwise_pairs_pick(uint32_t isa);

/// How packed weights lie: panel by panel, in each the biases (floats), then weights for windows that begin on the
/// upper line of a pair, then those for the others.
typedef struct ferry_depthwise_pairs_packing {
    size_t panel, panels;             // channels of a panel, and how many there are
    size_t pairs, lines, taps;        // of the window
    size_t parity_bytes, panel_bytes; // of weights for one kind of window; of all that a panel has
} ferry_depthwise_pairs_packing;

/// For a window of lines x taps; false when there are too many lines, or on overflow.
bool ferry_depthwise_pairs_packing_of(const ferry_depthwise_pairs_row *row, int64_t channels, int64_t lines,
                                      int64_t taps, ferry_depthwise_pairs_packing *out, size_t *out_bytes);
/// w: [channels][lines][taps], rounded to bf16; bias: [channels], or NULL.
void ferry_depthwise_pairs_pack(const ferry_depthwise_pairs_packing *packing, size_t channels, const float *w,
                                const float *bias, char *out);

#endif // FERRY_SRC_BACKEND_CPU_DEPTHWISE_PAIRS_BF16_H_
