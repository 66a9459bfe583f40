// SPDX-License-Identifier: Apache-2.0
// Loops over bf16 that compute in float: conversions, and the functions of two inputs. A table of them for each
// instruction set.
#ifndef FERRY_SRC_BACKEND_CPU_LOOPS_BF16_H_
#define FERRY_SRC_BACKEND_CPU_LOOPS_BF16_H_

#include "backend/cpu/elementwise_f32.h"

/// a or b is one element when its `many` is 0. y may be a or b where that one is n elements.
typedef void (*ferry_binary_bf16_loop)(const uint16_t *a, const uint16_t *b, uint16_t *y, size_t n, int a_many,
                                       int b_many);

typedef struct ferry_loops_bf16_row {
    const char *name;
    uint32_t isa;
    void (*widen)(const uint16_t *x, float *y, size_t n);
    void (*narrow)(const float *x, uint16_t *y, size_t n); // rounds to nearest even; NaN stays NaN
    const ferry_binary_bf16_loop *binary;                  // [FERRY_BINARY_F32_COUNT]
} ferry_loops_bf16_row;

const ferry_loops_bf16_row *ferry_loops_bf16_at(size_t index);
const ferry_loops_bf16_row *ferry_loops_bf16_pick(uint32_t isa);

#endif // FERRY_SRC_BACKEND_CPU_LOOPS_BF16_H_
