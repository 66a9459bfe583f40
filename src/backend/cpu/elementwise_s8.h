// SPDX-License-Identifier: Apache-2.0
// Loops over INT8 elements, to the bit as docs/INT8.md has them.
#ifndef FERRY_SRC_BACKEND_CPU_ELEMENTWISE_S8_H_
#define FERRY_SRC_BACKEND_CPU_ELEMENTWISE_S8_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/cpu/finish.h"

/// Rows lie so many elements apart. An operand is one element for the whole row where its `many` is false. Exactly one
/// of y and real is not NULL; y may be an operand that is many.
typedef struct ferry_pair_s8 {
    const int8_t *a, *b;
    size_t a_row, b_row, y_row;
    bool a_many, b_many;
    float a_mult, b_mult, shift; // of QMul: a_mult is that of the product
    float a_zero, b_zero;        // of QMul: whole numbers
    const ferry_finish *finish;
    int8_t *y;
    float *real;
} ferry_pair_s8;

#define FERRY_LOOK_UP_ROW 64 // elements from which on a call for each row is worth its while

typedef void (*ferry_look_up_s8)(const int8_t *x, const int8_t *table, int8_t *y, size_t n); // y may be x

/// Three planes of n bytes, side by side: `each` (3, or 4 with a 0 behind them) a position. y is aligned to `each`
/// == 4.
typedef void (*ferry_colours_s8)(const uint8_t *x, size_t plane, uint8_t *y, size_t each, size_t n);

typedef struct ferry_elementwise_s8_row {
    const char *name; // of the instruction set
    uint32_t isa;
    void (*add)(const ferry_pair_s8 *pair, size_t rows, size_t n);
    void (*mul)(const ferry_pair_s8 *pair, size_t rows, size_t n);
    /// x / scale rounded half to even (NaN: 0), plus zero, clamped to [low, high]: int8 or uint8 in y's bytes
    void (*quantise)(const float *x, float scale, int32_t zero, int32_t low, int32_t high, uint8_t *y, size_t n);
    void (*dequantise_s8)(const int8_t *x, float scale, int32_t zero, float *y, size_t n); // (x - zero) * scale
    void (*dequantise_u8)(const uint8_t *x, float scale, int32_t zero, float *y, size_t n);
    ferry_look_up_s8 look_up; // y = table[x + 128]
    ferry_colours_s8 colours;
} ferry_elementwise_s8_row;

/// From plainest to newest; NULL beyond the end.
const ferry_elementwise_s8_row *ferry_elementwise_s8_at(size_t index);
/// The newest row that `isa` can run.
const ferry_elementwise_s8_row *ferry_elementwise_s8_pick(uint32_t isa);

#endif // FERRY_SRC_BACKEND_CPU_ELEMENTWISE_S8_H_
