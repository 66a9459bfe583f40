// SPDX-License-Identifier: Apache-2.0
// Loops over lines: the elements that one sum, one maximum or one normalisation runs over. A line lies dense in memory,
// or 16 lines lie side by side, one a column. Element k always goes to partial sum k % 8, in double, so that both ways
// give the same bits.
#ifndef FERRY_SRC_BACKEND_CPU_LINES_H_
#define FERRY_SRC_BACKEND_CPU_LINES_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FERRY_LINES_COLUMNS 16

/// A NaN is larger, and smaller, than every number.
typedef struct ferry_lines_row {
    const char *name; // of the instruction set
    uint32_t isa;
    // One line.
    float (*max)(const float *x, size_t n);
    double (*sum)(const float *x, size_t n);
    double (*squares)(const float *x, size_t n, double mean);      // of x - mean
    double (*exp)(const float *x, size_t n, float most, float *y); // y = e^(x - most), which may be x; returns the sum
    void (*scale)(float *y, size_t n, float factor);
    void (*affine)(const float *x, size_t n, double mean, float factor, float shift, float *y);
    // `columns` (1 to 16) lines; `step` elements from one element of a line to the next, in x and y alike.
    void (*max_columns)(const float *x, size_t n, size_t step, size_t columns, float *out);
    void (*sum_columns)(const float *x, size_t n, size_t step, size_t columns, double *out);
    void (*squares_columns)(const float *x, size_t n, size_t step, size_t columns, const double *mean, double *out);
    void (*exp_columns)(const float *x, size_t n, size_t step, size_t columns, const float *most, float *y,
                        double *out);
    /// y = (x - mean) * factor + shift, the columns' own
    void (*affine_columns)(const float *x, size_t n, size_t step, size_t columns, const double *mean,
                           const float *factor, const float *shift, float *y);
    /// The first (`last`: the last) place of each column's largest element.
    void (*arg_max_columns)(const float *x, size_t n, size_t step, size_t columns, bool last, int64_t *out);
} ferry_lines_row;

/// From plainest to newest; NULL beyond the end.
const ferry_lines_row *ferry_lines_at(size_t index);
/// The newest row that `isa` can run.
const ferry_lines_row *ferry_lines_pick(uint32_t isa);

#endif // FERRY_SRC_BACKEND_CPU_LINES_H_
