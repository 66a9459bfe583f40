// SPDX-License-Identifier: Apache-2.0
// Softmax of rows that are near, between the two products of attention: a table of loops for each instruction set.
#ifndef FERRY_SRC_BACKEND_CPU_SOFTMAX_ROWS_H_
#define FERRY_SRC_BACKEND_CPU_SOFTMAX_ROWS_H_

#include <stddef.h>
#include <stdint.h>

/// y = softmax(scale * x) of `rows` rows of n elements, `stride` apart in x and y; scale > 0, n a multiple of the
/// table's `vec`. Elements of -infinity become 0. x is overwritten: for floats y is x.
typedef struct ferry_softmax_rows {
    float *x;
    uint16_t *narrow; // where y goes as bf16
    size_t rows, n, stride;
    float scale;
} ferry_softmax_rows;

typedef void (*ferry_softmax_loop)(const ferry_softmax_rows *rows);

typedef struct ferry_softmax_row {
    const char *name; // of the instruction set
    uint32_t isa;
    size_t vec;
    ferry_softmax_loop wide, narrow; // narrow: to bf16; NULL where there are no products of bf16 either
} ferry_softmax_row;

/// From plainest to newest; NULL beyond the end.
const ferry_softmax_row *ferry_softmax_at(size_t index);
/// The newest row that `isa` can run.
const ferry_softmax_row *ferry_softmax_pick(uint32_t isa);

#endif // FERRY_SRC_BACKEND_CPU_SOFTMAX_ROWS_H_
