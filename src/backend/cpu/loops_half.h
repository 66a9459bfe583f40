// SPDX-License-Identifier: Apache-2.0
// Loops over 16-bit floats, f16 or bf16, that compute in float: conversions, and the functions of two inputs. A table
// of them for each instruction set.
#ifndef FERRY_SRC_BACKEND_CPU_LOOPS_HALF_H_
#define FERRY_SRC_BACKEND_CPU_LOOPS_HALF_H_

#include "backend/cpu/elementwise_f32.h"
#include "graph/graph.h"

/// a or b is one element when its `many` is 0. y may be a or b where that one is n elements.
typedef void (*ferry_binary_bf16_loop)(const uint16_t *a, const uint16_t *b, uint16_t *y, size_t n, int a_many,
                                       int b_many);

typedef struct ferry_loops_half_row {
    const char *name;
    ferry_dtype dtype;
    uint32_t isa;
    void (*widen)(const uint16_t *x, float *y, size_t n);
    void (*narrow)(const float *x, uint16_t *y, size_t n); // rounds to nearest even; NaN stays NaN
    const ferry_binary_bf16_loop *binary;                  // [FERRY_BINARY_F32_COUNT]; NULL: widen, compute, narrow
} ferry_loops_half_row;

/// From plainest to newest, one type behind the other; NULL beyond the end.
const ferry_loops_half_row *ferry_loops_half_at(size_t index);
/// The newest row for the type that `isa` can run.
const ferry_loops_half_row *ferry_loops_half_pick(uint32_t isa, ferry_dtype dtype);

#endif // FERRY_SRC_BACKEND_CPU_LOOPS_HALF_H_
