// SPDX-License-Identifier: Apache-2.0
// Sums over ranges of bins, from which both entropy searches get the divergence of a candidate in one step a level.
#ifndef FERRY_SRC_CALIBRATE_DIVERGENCE_H_
#define FERRY_SRC_CALIBRATE_DIVERGENCE_H_

#include <stdint.h>
#include <string.h>

#include "base/heap.h"
#include "base/status.h"

/// Natural logarithm of a normal x > 0, to about 1e-16 relative. The C library's differs between machines in the last
/// bit, which is enough to choose another threshold; this one is plain arithmetic.
static inline double ferry_calibration_log(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    // Mantissa in [sqrt(1/2), sqrt(2)): 0x3fe6a09e667f3bcd is sqrt(1/2).
    const uint64_t offset = bits - UINT64_C(0x3fe6a09e667f3bcd);
    const double exponent = (double)((int64_t)offset >> 52);
    const uint64_t mantissa_bits = bits - (offset & UINT64_C(0xfff0000000000000));
    double m;
    memcpy(&m, &mantissa_bits, sizeof m);
    // log m = 2 atanh(s), |s| <= 0.1716; ten terms leave 2e-17.
    const double s = (m - 1) / (m + 1), t = s * s;
    double sum = 1.0 / 21;
    for (int n = 19; n >= 1; n -= 2) sum = sum * t + 1.0 / n;
    return exponent * 0.69314718055994530942 + 2 * s * sum;
}

/// Sums over bins [0, i), i = 0 .. count.
typedef struct ferry_divergence {
    const ferry_heap *heap; // borrowed
    size_t count;
    double *counts;   // values; exact below 2^53
    double *logs;     // c log c
    double *nonempty; // bins with c > 0
} ferry_divergence;

/// `first` stands in for bins[0], which holds the noise around zero: each algorithm has its own rule for it. count > 0.
/// FERRY_ERR_OUT_OF_MEMORY leaves nothing behind.
ferry_status ferry_divergence_init(ferry_divergence *sums, const ferry_heap *heap, const uint64_t *bins, size_t count,
                                   uint64_t first, ferry_error *err);

/// What bins [begin, end) of one level add to the divergence times the total: sum of c log c, less the same with the
/// count spread evenly over the bins that are not empty. Never negative, but for rounding.
double ferry_divergence_of_level(const ferry_divergence *sums, size_t begin, size_t end);
void ferry_divergence_deinit(ferry_divergence *sums);

#endif // FERRY_SRC_CALIBRATE_DIVERGENCE_H_
