// SPDX-License-Identifier: Apache-2.0
// Float tensors for inner loops: float and double are read in place, 16-bit types are widened once into scratch, so
// that a kernel is written for two types and compiled into two loops.
#ifndef FERRY_SRC_OPS_WIDE_H_
#define FERRY_SRC_OPS_WIDE_H_

#include "ops/op.h"

/// Elements that are all float, or all double.
typedef struct ferry_wide {
    const void *data;
    bool is_f64;
} ferry_wide;

/// Scratch that ferry_widen takes for this tensor (a multiple of 64; 0 for float and double).
size_t ferry_wide_bytes(const ferry_tensor *tensor);
/// Moves *io_scratch on by ferry_wide_bytes. Float types only.
ferry_wide ferry_widen(const ferry_tensor *tensor, char **io_scratch);

static inline double ferry_wide_at(ferry_wide wide, int64_t i)
{
    return wide.is_f64 ? ((const double *)wide.data)[i] : (double)((const float *)wide.data)[i];
}

/// acc[i] += sum over k of weights[first + k * weight_step] * rows[k * row_step + i], k ascending for every i: the
/// inner loop of products whose result does not depend on how many rows are taken at a time.
void ferry_wide_add_rows(double *acc, int64_t n, ferry_wide weights, int64_t first, int64_t weight_step, int64_t count,
                         ferry_wide rows, int64_t rows_first, int64_t row_step);
/// sum over k of a[a_first + k * a_step] * b[b_first + k * b_step], k ascending.
double ferry_wide_dot(ferry_wide a, int64_t a_first, int64_t a_step, ferry_wide b, int64_t b_first, int64_t b_step,
                      int64_t count);

#endif // FERRY_SRC_OPS_WIDE_H_
