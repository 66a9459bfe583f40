// SPDX-License-Identifier: Apache-2.0
// Runs of elements of any type as double, int64 or uint64: kernels compute in these three and round once on the way
// back.
#ifndef FERRY_SRC_OPS_ROWS_H_
#define FERRY_SRC_OPS_ROWS_H_

#include <string.h>

#include "ops/op.h"

#define FERRY_ROW 256 // elements that a kernel converts at a time: small enough for the stack

typedef enum ferry_number_class {
    FERRY_NUMBER_FLOAT,   // f16 bf16 f32 f64: computed in double
    FERRY_NUMBER_SIGNED,  // computed in int64
    FERRY_NUMBER_UNSIGNED // bool too: computed in uint64
} ferry_number_class;

ferry_number_class ferry_number_class_of(ferry_dtype dtype);

/// A double (not NaN) as a number of the same order; 0 and -0 are equal.
static inline uint64_t ferry_order_key(double value)
{
    const double positive_zero = value + 0.0;
    uint64_t bits;
    memcpy(&bits, &positive_zero, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

/// Elements first, first + step, ... of `data`; n of them.
void ferry_row_load_f64(ferry_dtype dtype, const void *data, int64_t first, int64_t step, int64_t n, double *out);
void ferry_row_load_s64(ferry_dtype dtype, const void *data, int64_t first, int64_t step, int64_t n, int64_t *out);
void ferry_row_load_u64(ferry_dtype dtype, const void *data, int64_t first, int64_t step, int64_t n, uint64_t *out);

/// The way back. Floats are rounded once, to nearest even. Doubles become integers by truncation toward zero; beyond
/// the type's range they take its nearest bound, and NaN becomes 0. Integers wrap into narrower integers. Bool is value
/// != 0.
void ferry_row_store_f64(ferry_dtype dtype, void *data, int64_t first, int64_t step, int64_t n, const double *from);
void ferry_row_store_s64(ferry_dtype dtype, void *data, int64_t first, int64_t step, int64_t n, const int64_t *from);
void ferry_row_store_u64(ferry_dtype dtype, void *data, int64_t first, int64_t step, int64_t n, const uint64_t *from);

#endif // FERRY_SRC_OPS_ROWS_H_
