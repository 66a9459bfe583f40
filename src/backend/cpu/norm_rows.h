// SPDX-License-Identifier: Apache-2.0
// Layer normalisation of one row: a table of loops for each instruction set.
#ifndef FERRY_SRC_BACKEND_CPU_NORM_ROWS_H_
#define FERRY_SRC_BACKEND_CPU_NORM_ROWS_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// y = (x - mean) / sqrt(variance + epsilon) * scale + bias over n elements; y may be x, bias may be NULL.
typedef struct ferry_norm {
    size_t n;
    double epsilon;
    const float *scale, *bias;
} ferry_norm;

typedef struct ferry_norm_row {
    const char *name; // of the instruction set
    uint32_t isa;
    void (*run)(const ferry_norm *norm, const float *x, float *y);
    /// Its results as sat8(y / scale); false, with y undefined, when the row is one for ferry_norm_in_double.
    bool (*run_s8)(const ferry_norm *norm, const float *x, float scale, int8_t *y);
    void (*run_bf16)(const ferry_norm *norm, const uint16_t *x, uint16_t *y); // NULL: no vectors of bf16
} ferry_norm_row;

/// The newest row that `isa` can run.
const ferry_norm_row *ferry_norm_pick(uint32_t isa);

/// The same in double, one element after the other: for rows whose squares are beyond floats.
void ferry_norm_in_double(const ferry_norm *norm, const float *x, float *y);
void ferry_norm_bf16_in_double(const ferry_norm *norm, const uint16_t *x, uint16_t *y);

#endif // FERRY_SRC_BACKEND_CPU_NORM_ROWS_H_
